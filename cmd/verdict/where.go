package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
	"verdict/sbom"
	"verdict/store"
)

func whereCommand() command {
	return command{
		use: "where [PURL|VULNERABILITY]", short: "Say what runs with a component, and whose it is",
		long: "PURL is a package URL whose version may be a range: pkg:npm/lodash@4.17.20, 'pkg:npm/lodash@<4.17.21', 'pkg:npm/lodash@>=4,<4.17.21', or without one for every version. Versions are ordered as their ecosystem orders them. " +
			"VULNERABILITY is an id or alias of an installed advisory: CVE-…, GHSA-…, GO-…; what it is about is judged as verdict ci judges it. --licence asks for what bills declare, --component for names that hold a text.\n\n" +
			"The answer comes from the bills of materials of artifacts (verdict attest sbom) and from what is stated to run where (verdict attest deployment); nothing is scanned. " +
			"What no bill tells is counted aloud: an artifact without a bill is not said to be free of anything.",
		example: "verdict where 'pkg:npm/lodash@<4.17.21'\nverdict where CVE-2021-23337 --running\nverdict where CVE-2021-23337 --env production\nverdict where --licence GPL-3.0-only -o json\nverdict where pkg:golang/golang.org/x/net --at 2026-11-01T00:00:00Z",
		args:    atMost(1), formats: textOrJSON, reads: true,
		setup: func(f *flags) runner {
			x := &whereFlags{limit: 50}
			f.text(&x.licence, "licence", "ID", "components under this licence of SPDX; a * at its end stands for anything")
			f.text(&x.name, "component", "NAME", "components whose name holds NAME")
			f.toggle(&x.running, "running", "only what is stated to run")
			f.text(&x.environment, "env", "NAME", "only what is stated to run in this environment; how much runs elsewhere is counted")
			f.number(&x.limit, "limit", "N", "how many artifacts of each list are told; 0: all", 0, allOfThem)
			return x.run
		},
	}
}

type whereFlags struct {
	licence, name, environment string
	running                    bool
	limit                      int64
}

// whereFound is the document verdict.where/v1.
type whereFound struct {
	Schema   string            `json:"schema"`
	Asked    string            `json:"asked"`
	Kind     string            `json:"kind"` // package, vulnerability, licence, component
	IDs      []string          `json:"ids"`  // of the advisory, with its aliases
	Database *verdict.Database `json:"database,omitempty"`
	Position int64             `json:"position"` // entries of the log that it is of
	// Environment is the one that was asked about; empty: all, and what does not run.
	Environment string `json:"environment"`
	// Components are those that bills list and that are meant; MayBe those of which it
	// cannot be told.
	Components []whereComponent `json:"components"`
	MayBe      []whereComponent `json:"may_be"`
	// Near are package URLs that bills list and that differ by case alone from one that they do
	// not list.
	Near []string `json:"near,omitempty"`
	// Undeclared says of a question about a licence how many components declare none, and
	// Unread how many state something that is no expression of SPDX.
	Undeclared int          `json:"undeclared"`
	Unread     []string     `json:"unread"`
	Running    []whereRuns  `json:"running"`
	Built      []whereBuilt `json:"built"`
	Totals     whereTotals  `json:"totals"`
	// Release says that the question left open which release of a distribution is meant.
	Release  string          `json:"release,omitempty"`
	Searched ledger.Searched `json:"searched"`
}

type whereTotals struct {
	Running      int            `json:"running"`
	Artifacts    int            `json:"running_artifacts"` // different digests
	Environments map[string]int `json:"environments"`
	Bills        int            `json:"bills"`             // that list a component, of what runs and of what was built
	Elsewhere    int            `json:"running_elsewhere"` // in other environments than the one that was asked about
	LeftOut      int            `json:"running_left_out"`
	BuiltLeftOut int            `json:"built_left_out"` // bills
	Aside        int            `json:"bills_of_untrusted_producers"`
	Unproved     int            `json:"running_by_untrusted_word"` // of those that are told
}

type whereComponent struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	PURL      string `json:"purl"` // empty where the ecosystem has no form of it
	Licence   string `json:"licence"`
	Why       string `json:"why,omitempty"` // it cannot be told
}

type whereRuns struct {
	ledger.RunningRow
	Team  string `json:"team"`
	Owner string `json:"owner"`
	Bill  int64  `json:"bill"` // entry
	// Through are the platforms of an index whose bills list them; empty where it is one image.
	Through    []verdict.Digest `json:"through"`
	Components []whereComponent `json:"components"`
	MayBe      bool             `json:"may_be"`
	// Trusted: the map lets the one who states that it runs say so.
	Trusted   bool           `json:"trusted"`
	Promotion wherePromotion `json:"promotion"`
}

// wherePromotion is what let something in, as `verdict environments` tells it.
type wherePromotion struct {
	ID      string `json:"id"`      // of the decision; empty: none
	Named   bool   `json:"named"`   // the deployment names it; else it is the one that stood then
	Problem string `json:"problem"` // why it did not let it in; empty: it did
}

type whereBuilt struct {
	Artifacts  []verdict.Subject `json:"artifacts"`
	Service    string            `json:"service"`
	Team       string            `json:"team"`
	Owner      string            `json:"owner"`
	Bill       int64             `json:"bill"`
	At         time.Time         `json:"at"`
	Components []whereComponent  `json:"components"`
	MayBe      bool              `json:"may_be"`
}

func (x *whereFlags) run(ctx context.Context, a *app, args []string) (err error) {
	if a.config.Server != "" && len(args) == 1 && x.licence == "" && x.name == "" && vulnerabilityID.MatchString(args[0]) {
		return x.askServer(ctx, a, args[0])
	}
	q, done, err := a.ask(args, x.licence, x.name)
	if err != nil {
		return err
	}
	defer done()
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	at, err := w.position(ctx)
	if err != nil {
		return err
	}
	m, _, err := w.mapOfPeople(ctx, at)
	if err != nil {
		return err
	}
	counts, err := w.counts(ctx, m)
	if err != nil {
		return err
	}
	size, err := w.size(ctx, at)
	if err != nil {
		return err
	}
	if err := w.runsSomewhere(ctx, x.environment, m, at); err != nil {
		return err
	}
	q.q.At, q.q.Limit, q.q.Counts, q.q.Environment = at, cmp.Or(int(x.limit), allOfThem), counts, x.environment
	if x.running || x.environment != "" {
		q.q.Limit = 0
	}
	found, err := w.ledger.Where(ctx, q.q)
	if err != nil {
		return err
	}
	d := whereOf(q, found, m, size, x)
	if err := d.letIn(ctx, w, m, at); err != nil {
		return err
	}
	if err := d.believe(ctx, w, counts); err != nil {
		return err
	}
	return a.emit(d, d.body)
}

// askServer has the server answer what a vulnerability is about: its vulnerability data are those
// that it matches by, and nobody who asks needs any.
func (x *whereFlags) askServer(ctx context.Context, a *app, id string) error {
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	q := url.Values{"what": {id}, "limit": {strconv.FormatInt(cmp.Or(x.limit, mostWhere), 10)}, "running": {strconv.FormatBool(x.running)}}
	if x.environment != "" {
		q.Set("environment", x.environment)
	}
	if a.config.At.Set {
		at, err := w.position(ctx)
		if err != nil {
			return err
		}
		q.Set("at", strconv.FormatInt(int64(at), 10))
	}
	var d whereFound
	if err := w.remote.Document(ctx, "/where", q, &d); err != nil {
		return err
	}
	return a.emit(d, d.body)
}

// mostWhere is how many artifacts of a list a server tells.
const mostWhere = 10_000

// runsSomewhere refuses an environment that neither the map nor any deployment names: an
// answer about it would look like a clean one.
func (w *workspace) runsSomewhere(ctx context.Context, name string, m *decisionmap.Map, at ledger.Position) error {
	if _, known := m.Environments[name]; name == "" || known {
		return nil
	}
	rows, err := w.ledger.Running(ctx, ledger.RunningQuery{Environment: name, At: at, Ended: true, Limit: 1})
	if err != nil || len(rows) > 0 {
		return err
	}
	names := slices.Sorted(maps.Keys(m.Environments))
	return usage(seeWhere, fmt.Sprintf("the map has no environment %q, and no deployment names it", report.Neutral(name)), meant(name, names, "--env ", listedOr(names, "declare it under environments: of the map")))
}

// allOfThem is a limit that no list reaches.
const allOfThem = 1 << 30

// counts is who may state what, by a map.
func (w *workspace) counts(ctx context.Context, m *decisionmap.Map) (func(kind verdict.Kind, producer, service, environment string) bool, error) {
	keys, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	name := namesOf(keys)
	type claim struct {
		kind                           verdict.Kind
		producer, service, environment string
	}
	known := map[claim]bool{}
	return func(kind verdict.Kind, producer, service, environment string) bool {
		c := claim{kind, producer, service, environment}
		yes, told := known[c]
		if !told {
			p := evidence.ParseProducer(producer)
			s := decide.SignerOf(p)
			if p.Key != "" {
				s.KeyName = name(p.Key, allOfThem)
			}
			yes = m.Trusts(s, string(kind), service, environment)
			known[c] = yes
		}
		return yes
	}, nil
}

// believe says of each place that is told whether the map trusts who states that it runs.
func (d *whereFound) believe(ctx context.Context, w *workspace, counts func(verdict.Kind, string, string, string) bool) error {
	for i := range d.Running {
		r := &d.Running[i]
		e, err := w.ledger.Entry(ctx, r.Index)
		if err != nil {
			return err
		}
		if r.Trusted = counts(verdict.KindDeployment, e.Producer, r.Service, r.Environment); !r.Trusted {
			d.Totals.Unproved++
		}
	}
	return nil
}

// letIn finds the decisions that let in what runs: whether the one that a deployment names did,
// or which one stood where it names none.
func (d *whereFound) letIn(ctx context.Context, w *workspace, m *decisionmap.Map, at ledger.Position) error {
	for i := range d.Running {
		p, err := w.promotionOf(ctx, m, deploymentOf(d.Running[i].RunningRow), at)
		if err != nil {
			return err
		}
		d.Running[i].Promotion = wherePromotion{p.ID, p.Named, p.Problem}
	}
	return nil
}

// whereOf puts the answer into its document.
func whereOf(q *asked, found *ledger.Where, m *decisionmap.Map, size int64, x *whereFlags) *whereFound {
	d := &whereFound{
		Schema: "verdict.where/v1", Asked: q.text, Kind: q.kind, IDs: q.ids, Database: q.db, Position: size, Environment: x.environment, Release: q.release,
		Components: whereComponents(found.Matched), MayBe: []whereComponent{}, Undeclared: found.Undeclared, Unread: []string{}, Running: []whereRuns{}, Built: []whereBuilt{},
		Searched: found.Searched, Totals: whereTotals{Running: len(found.Running), Environments: map[string]int{}, Bills: found.Bills, Aside: found.Aside, Elsewhere: found.Elsewhere},
	}
	if d.IDs == nil {
		d.IDs = []string{}
	}
	for text := range q.open {
		d.Unread = append(d.Unread, text)
	}
	slices.Sort(d.Unread)
	for _, p := range found.Near {
		d.Near = append(d.Near, whereComponentOf(store.Component{Ecosystem: p.Ecosystem, Name: p.Name}).PURL)
	}
	for _, u := range found.Untold {
		c := whereComponentOf(u.Component)
		c.Why = u.Why
		d.MayBe = append(d.MayBe, c)
	}
	digests := map[verdict.Digest]bool{}
	for i, r := range found.Running {
		digests[r.Digest] = true
		d.Totals.Environments[r.Environment]++
		if x.limit > 0 && int64(i) >= x.limit {
			d.Totals.LeftOut++
			continue
		}
		s := m.Services[r.Service]
		d.Running = append(d.Running, whereRuns{RunningRow: r.RunningRow, Team: s.Team, Owner: s.Owner, Bill: r.Bill, Through: append([]verdict.Digest{}, r.Through...), Components: whereComponents(r.Components), MayBe: r.Untold})
	}
	d.Totals.Artifacts = len(digests)
	for _, b := range found.Built {
		s := m.Services[b.Bill.Context.Service]
		d.Built = append(d.Built, whereBuilt{
			Artifacts: artifactsOf(b.Bill), Service: b.Bill.Context.Service, Team: cmp.Or(s.Team, b.Bill.Context.Team), Owner: s.Owner,
			Bill: b.Bill.Index, At: b.Bill.At, Components: whereComponents(b.Components), MayBe: b.Untold,
		})
	}
	d.Totals.BuiltLeftOut = found.NotRunning - len(d.Built)
	return d
}

func artifactsOf(e ledger.Entry) []verdict.Subject {
	return slices.DeleteFunc(slices.Clone(e.Subjects), func(s verdict.Subject) bool { return s.Kind != verdict.SubjectArtifact })
}

func whereComponents(list []store.Component) []whereComponent {
	out := make([]whereComponent, 0, len(list))
	for _, c := range list {
		out = append(out, whereComponentOf(c))
	}
	return out
}

func whereComponentOf(c store.Component) whereComponent {
	purl, _ := sbom.PURL(c.Ecosystem, c.Name, c.Version) // none for a type without an ecosystem
	if kind, other := strings.CutPrefix(c.Ecosystem, "pkg:"); other {
		namespace, name := "", c.Name
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			namespace, name = name[:i], name[i+1:]
		}
		purl = sbom.PackageURL{Type: kind, Namespace: namespace, Name: name, Version: c.Version}.String()
	}
	return whereComponent{Ecosystem: c.Ecosystem, Name: c.Name, Version: c.Version, PURL: purl, Licence: strings.ReplaceAll(c.Licence, "\n", ", ")}
}

// shown is a component in a row.
func (d *whereFound) shown(list []whereComponent) string {
	var out []string
	for i, c := range list {
		if i == 2 && len(list) > 3 {
			out = append(out, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		text := c.Name + " " + c.Version
		if d.Kind == "licence" {
			text += " (" + c.Licence + ")"
		}
		out = append(out, report.Neutral(text))
	}
	return strings.Join(out, ", ")
}
