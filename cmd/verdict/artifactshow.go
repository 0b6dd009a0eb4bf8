package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"verdict"
	"verdict/artifact"
	"verdict/artifact/registry"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/report"
)

const seeArtifactShow = "verdict artifact show --help"

func artifactShowCommand() command {
	return command{
		use: "show REF|DIGEST|FILE", short: "Show what is known of an artifact: identity, evidence, contents, decisions, deployments",
		long: "REF is an image by tag or digest, DIGEST is sha256:…, and FILE is hashed; where it is the folder of an OCI layout, the image in it is meant. Of an image whose name has a host, what lies beside it in the registry is read; of everything else, what the ledger holds. " +
			"--from says it otherwise. The same evidence gives the same answer from both.\n\n" +
			"Evidence is trusted (the map lets its producer state it), verified (its signature holds), or unknown (nothing says whose it is). Keys that are enrolled here are known; others are given as for verdict verify. " +
			"It looks and records nothing: verdict artifact pull records what it can verify.\n\n" + aboutRegistry,
		example: "verdict artifact show sha256:…\nverdict artifact show ghcr.io/acme/payments-api:v1.2.3\nverdict artifact show ghcr.io/acme/payments-api@sha256:… --from ledger -o json\nverdict artifact show ghcr.io/acme/payments-api:v1.2.3 --key producer.pub",
		args:    exactly(1), formats: textOrJSON, reads: true,
		setup: func(f *flags) runner {
			x := &showing{}
			f.choice(&x.from, "from", "where to look; default: the registry of an image whose name has a host, else the ledger", fromLedger, fromRegistry)
			x.believed.declare(f)
			return x.run
		},
	}
}

const (
	fromLedger   = "ledger"
	fromRegistry = "registry"
)

// showing is one run of the command.
type showing struct {
	from     string
	believed believed
	most     int // pieces of evidence, and of deployments, that are told; 0: all

	app *app
	w   *workspace // nil: there is no ledger here
	m   *decisionmap.Map
	at  ledger.Position
	doc shownArtifact
}

// shownArtifact is the document verdict.artifact/v1. Each section of it has a file of its
// own and an entry in showSections.
type shownArtifact struct {
	Schema   string         `json:"schema"`
	Asked    string         `json:"asked"`
	Name     string         `json:"name"` // of the image or file; empty for a bare digest that nobody named
	Digest   verdict.Digest `json:"digest"`
	From     string         `json:"from"`     // "ledger", or the host of the registry
	Position int64          `json:"position"` // the log's size that the answer is of; -1: there is no ledger here

	Image     *verdict.Image  `json:"image,omitempty"` // none: nobody recorded what its registry says
	Moved     *movedTag       `json:"moved,omitempty"` // none: the tag names what was recorded, or nothing was
	Evidence  []piece         `json:"evidence"`
	Contents  shownContents   `json:"contents"`
	Builds    []shownBuild    `json:"builds"`
	Decisions []shownDecision `json:"decisions"`
	// Deployments are where it is stated to run or to have run, the last first.
	Deployments []shownPlace `json:"deployments"`
	// Unknown says what the answer does not cover.
	Unknown []string `json:"unknown"`
}

// showSection is one part of the answer: it takes what it needs from the evidence that was
// found, or asks the ledger, and gives its rows for people.
type showSection struct {
	title string
	fill  func(ctx context.Context, x *showing) error
	rows  func(d *shownArtifact) [][]string
}

// showSections are the parts, in the order in which they are read.
var showSections = []showSection{
	{"identity", fillIdentity, identityRows},
	{"evidence", nothing, evidenceRows},
	{"contents", fillContents, contentRows},
	{"built by", fillBuilds, buildRows},
	{"decisions", fillDecisions, decisionRows},
	{"deployments", fillPlaces, placeRows},
}

func nothing(context.Context, *showing) error { return nil }

func (x *showing) run(ctx context.Context, a *app, args []string) (err error) {
	x.app = a
	x.doc = shownArtifact{Schema: "verdict.artifact/v1", Asked: args[0], Position: -1, Unknown: []string{}, Evidence: []piece{}, Builds: []shownBuild{}, Decisions: []shownDecision{}, Deployments: []shownPlace{}}
	if x.m, err = a.effectiveMap(ctx); err != nil {
		return err
	}
	if a.mustExist() == nil {
		if x.w, err = a.openExisting(ctx); err != nil {
			return err
		}
		defer x.w.close()
		if x.at, err = x.w.position(ctx); err != nil {
			return err
		}
		if x.doc.Position, err = x.w.size(ctx, x.at); err != nil {
			return err
		}
	}
	if err := x.gather(ctx, args[0]); err != nil {
		return err
	}
	for i := range x.doc.Evidence {
		x.doc.Evidence[i].judge(x.m)
	}
	for _, s := range showSections {
		if err := s.fill(ctx, x); err != nil {
			return err
		}
	}
	x.doc.bound(x.most)
	if err := a.emit(x.doc, x.doc.text); err != nil {
		return err
	}
	if len(x.doc.Evidence) == 0 && x.doc.Image == nil {
		return exit(verdict.CodeNotFound.Exit())
	}
	return nil
}

// bound leaves out what is oldest beyond so many rows, and says so; 0 leaves out nothing.
func (d *shownArtifact) bound(most int) {
	if n := len(d.Evidence) - most; most > 0 && n > 0 {
		d.Evidence = d.Evidence[n:]
		d.Unknown = append(d.Unknown, fmt.Sprintf("%s: they are among the entries about this subject", plural(n, "older piece of evidence is not listed", "older pieces of evidence are not listed")))
	}
	if n := len(d.Deployments) - most; most > 0 && n > 0 {
		d.Deployments = d.Deployments[:most]
		d.Unknown = append(d.Unknown, plural(n, "older deployment is not listed", "older deployments are not listed"))
	}
}

// gather finds identity and evidence where they are to be looked for.
func (x *showing) gather(ctx context.Context, ref string) error {
	if typedDigest.MatchString(ref) {
		d, err := verdict.ParseDigest(ref)
		if err != nil {
			return err
		}
		if x.from == fromRegistry {
			return usage(seeArtifactShow, "a digest alone names no registry", "write NAME@"+ref)
		}
		return x.ledger(ctx, d)
	}
	if x.app.hosted != nil { // neither a file of the server's machine, nor a registry that a caller chose
		return refuseHere(ref)
	}
	if _, err := os.Stat(ref); x.from != fromRegistry && (err == nil || !errors.Is(err, fs.ErrNotExist) || filepath.IsAbs(ref) || strings.HasPrefix(ref, ".")) {
		s, err := x.app.artifactHere(ctx, ref)
		if err != nil {
			return err
		}
		x.doc.Name = s.Name
		return x.ledger(ctx, s.Digest)
	}
	r, err := artifact.ParseReference(ref)
	if err != nil {
		return err
	}
	x.doc.Name = r.Name
	if x.from == fromRegistry || x.from == "" && strings.HasPrefix(strings.ToLower(ref), r.Host()+"/") {
		return x.registry(ctx, r)
	}
	if r.Digest != "" {
		return x.ledger(ctx, r.Digest)
	}
	return x.tagged(ctx, r)
}

// tagged looks a tag up that was recorded. What it names now is the registry's to say.
func (x *showing) tagged(ctx context.Context, r artifact.Reference) error {
	var seen []artifact.Sighting
	if x.w != nil {
		var err error
		if seen, err = x.w.sightings(ctx, r.Name, r.Tag, x.at); err != nil {
			return err
		}
	}
	if len(seen) == 0 {
		return &verdict.Error{
			Code: verdict.CodeNotFound, What: fmt.Sprintf("the ledger does not know what the tag %s of %s names", r.Tag, r.Name),
			Remedy: fmt.Sprintf("ask its registry: verdict artifact show %s --from registry", r),
		}
	}
	x.doc.Unknown = append(x.doc.Unknown, fmt.Sprintf("what the tag %s names now: this is what entry %d of %s recorded", r.Tag, seen[0].Entry, seen[0].At.Format("2006-01-02 15:04 MST")))
	return x.ledger(ctx, seen[0].Image.Digest)
}

// ledger answers from what was recorded here.
func (x *showing) ledger(ctx context.Context, d verdict.Digest) error {
	x.doc.Digest, x.doc.From = d, fromLedger
	if x.w == nil {
		return x.app.mustExist()
	}
	i, _, err := x.w.lastImage(ctx, d, x.at)
	if err != nil {
		return err
	}
	if i != nil {
		x.doc.Image, x.doc.Name = i, i.Name
	}
	x.doc.Evidence, err = x.w.ledgerPieces(ctx, d, x.at)
	if x.doc.Name == "" {
		for _, p := range x.doc.Evidence {
			if p.statement != nil && x.doc.Name == "" {
				x.doc.Name = nameOf(p, d)
			}
		}
	}
	return err
}

func nameOf(p piece, d verdict.Digest) string {
	for _, s := range p.statement.Subjects {
		if s.Digest == d {
			return s.Name
		}
	}
	return ""
}

// orLedger says of a registry that cannot be asked that the ledger can, where nobody asked for
// the registry by word.
func (x *showing) orLedger(r artifact.Reference, err error) error {
	var known *verdict.Error
	if x.w == nil || x.from != "" || r.Digest == "" || !errors.As(err, &known) || known.Code != verdict.CodeUnavailable {
		return err
	}
	out := *known
	out.Remedy += fmt.Sprintf("; what was recorded of it is told without: verdict artifact show %s --from ledger", r)
	return &out
}

// registry answers from what lies in the registry.
func (x *showing) registry(ctx context.Context, r artifact.Reference) error {
	if x.app.config.At.Set {
		return usage(seeArtifactShow, "a registry knows no past, and --at asks for one", "leave --at out, or add --from ledger")
	}
	c, err := x.app.remote(ctx, r, registry.Options{})
	if err != nil {
		return x.orLedger(r, err)
	}
	i, err := x.app.identified(ctx, c, r)
	if err != nil {
		return x.orLedger(r, err)
	}
	x.doc.Image, x.doc.Digest, x.doc.From = &i.Image, i.Digest, r.Host()
	x.doc.Unknown = append(x.doc.Unknown, i.Remarks...)
	if x.w != nil && i.Tag != "" {
		seen, err := x.w.sightings(ctx, i.Name, i.Tag, ledger.Now)
		if err != nil {
			return err
		}
		moved := artifact.Moved(seen, i.Image)
		x.app.tellMoved(moved)
		x.doc.Moved = (*movedTag)(moved)
	}
	j, err := x.app.judges(ctx, x.w, x.believed, i.Digest, seeArtifactShow)
	if err != nil {
		return err
	}
	x.doc.Evidence, err = j.registryPieces(ctx, c, i.Digest)
	return err
}

func (d shownArtifact) text(s report.Style) string {
	head := report.Neutral(d.Name)
	if head != "" {
		head += "@"
	}
	where := "as the ledger has it"
	if d.From != fromLedger {
		where = "as " + report.Neutral(d.From) + " has it"
	}
	out := s.Strong(head+string(d.Digest)) + "\n" + where + "\n"
	for _, x := range showSections {
		out += x.title + ":\n" + report.Table(x.rows(&d), s.Width, "  ")
	}
	if len(d.Unknown) > 0 {
		out += "not known:\n"
		for _, n := range d.Unknown {
			out += strings.Replace(report.Wrap(report.Neutral(n), s.Width, "    "), "    ", "  - ", 1) + "\n"
		}
	}
	return out
}

// fillIdentity says that an index and its manifests are different subjects.
func fillIdentity(_ context.Context, x *showing) error {
	if x.doc.Image != nil && len(x.doc.Image.Platforms) > 0 {
		x.doc.Unknown = append(x.doc.Unknown, "what was stated of each platform alone: ask for its digest")
	}
	return nil
}

// identityRows is the section of what the registry says.
func identityRows(d *shownArtifact) [][]string {
	if d.Image == nil {
		return [][]string{{"unknown", "nobody recorded what its registry says of it: verdict artifact record NAME@" + string(d.Digest)}}
	}
	rows := imageRows(*d.Image)
	if d.Moved != nil {
		rows = append(rows, []string{"moved", fmt.Sprintf("the tag named %s in entry %d", d.Moved.From, d.Moved.Entry)})
	}
	return rows
}

// evidenceRows is the section of what was stated.
func evidenceRows(d *shownArtifact) [][]string {
	if len(d.Evidence) == 0 {
		return [][]string{{"nothing", "no evidence about this digest is here, which says nothing for or against it"}}
	}
	var rows [][]string
	for _, p := range d.Evidence {
		rows = append(rows, p.text())
		if p.Note != "" {
			rows = append(rows, []string{"", "", report.Neutral(p.Note), "", ""})
		}
	}
	return rows
}
