package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"verdict"
	"verdict/advisory"
	"verdict/decisionmap"
	"verdict/report"
)

// The ages of advisories.
const (
	ageFresh   = "fresh"
	ageStale   = "stale"
	ageUnknown = "unknown"
)

// advisoryList is the document verdict.advisories/v1.
type advisoryList struct {
	Schema string `json:"schema"`
	Index  string `json:"index"` // file
	State  string `json:"state"` // fresh, stale, unknown: of the oldest source that decides
	Age    int64  `json:"age_seconds"`
	// MaxAge is what the map allows, in seconds; 0: any age, -1: it cannot be told.
	MaxAge         int64            `json:"max_age_seconds"`
	MaxAgeFrom     string           `json:"max_age_from"` // the map that says so, or why it cannot be told
	Database       verdict.Database `json:"database"`
	Covers         []string         `json:"covers"` // ecosystems; of others nothing is known
	KnowsExploited bool             `json:"knows_exploited"`
	Sources        []listedSource   `json:"sources"`
}

type listedSource struct {
	advisory.Source
	Age     int64  `json:"age_seconds"` // since it was confirmed; -1: unknown
	State   string `json:"state"`
	Decides bool   `json:"decides"` // false: nothing rests on its age
}

func advisoriesListCommand() command {
	return command{
		use: "list", short: "List the advisories that are here, how old they are, and what they cover",
		long: "Reads the whole index, so a damaged one is found here. A source is stale when it was confirmed longer ago than the map allows (sources.advisories.max_age, 7 days by default); " +
			"the map is the file that --map names, else verdict.yaml in this folder, else the built-in one, under the released organisation map where there is one. An age that cannot be told is unknown, never fresh.\n\n" + atServerHelp,
		example: "verdict advisories list\nverdict advisories list -o json",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			var there bool
			atServerFlag(f, &there)
			return func(ctx context.Context, a *app, _ []string) error {
				c, err := a.advisoriesAt(ctx, there, "verdict advisories list --help")
				if err != nil {
					return err
				}
				if c == nil {
					return a.listAdvisories(ctx)
				}
				var l advisoryList
				if err := c.Document(ctx, advisoryPath, nil, &l); err != nil {
					return err
				}
				return a.emit(l, func(s report.Style) string { return l.text(s) })
			}
		},
	}
}

// placeless is an error about a file without its folder, for who asks a server: where that
// keeps its data is the operator's.
func (a *app) placeless(file string, err error) error {
	var e *verdict.Error
	if a.hosted == nil || !errors.As(err, &e) {
		return err
	}
	out := *e
	out.What, out.Remedy = strings.ReplaceAll(e.What, file, filepath.Base(file)), strings.ReplaceAll(e.Remedy, file, filepath.Base(file))
	return &out
}

func (a *app) listAdvisories(ctx context.Context) error {
	file, err := a.indexFile(false)
	if err != nil {
		return err
	}
	index, err := a.openAdvisories(file)
	if err != nil {
		return err
	}
	defer index.Close()
	a.progress.phase("reading the index")
	err = index.Verify()
	a.progress.stop()
	if err != nil {
		return a.placeless(file, indexError(file, err))
	}
	if a.hosted != nil {
		file = filepath.Base(file)
	}
	l := advisoryList{
		Schema: "verdict.advisories/v1", Index: file, Database: index.Database(), KnowsExploited: index.KnowsExploited(), Covers: []string{}, Sources: []listedSource{},
	}
	l.MaxAge, l.MaxAgeFrom = a.advisoryAge(ctx)
	for _, s := range index.Sources() {
		x := listedSource{Source: s, Decides: s.Family != advisory.FamilyEPSS}
		x.Age, x.State = l.judge(s.Confirmed, a.now())
		l.Sources = append(l.Sources, x)
		l.Covers = append(l.Covers, s.Covers...)
	}
	slices.Sort(l.Covers)
	l.Covers = slices.Compact(l.Covers)
	l.Age, l.State = l.judge(l.Database.At, a.now())
	return a.emit(l, func(s report.Style) string { return l.text(s) })
}

// openAdvisories opens the index to read it. Of a server it is told that it has none, and not
// where it would lie.
func (a *app) openAdvisories(file string) (*advisory.Index, error) {
	index, err := advisory.Open(file)
	switch {
	case err == nil:
		return index, nil
	case a.hosted != nil && verdict.AsError(err).Code == verdict.CodeNotFound:
		return nil, &verdict.Error{
			Code: verdict.CodeNotFound, What: "this server has no vulnerability data", Remedy: "have somebody with the role security fetch or send some: verdict advisories update npm --at-server, or verdict advisories import FILE --at-server",
		}
	}
	return nil, a.placeless(file, indexError(file, err))
}

// indexError is that of an index that is there and cannot be read.
func indexError(file string, err error) error {
	if e := new(verdict.Error); errors.As(err, &e) {
		return err
	}
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "the advisories in " + file + " cannot be read", Err: err,
		Remedy: "make the file readable for this user, or remove it and import again: verdict advisories import FILE",
	}
}

// advisoryAge is the age that the map allows, as a decision computes it. A map that
// cannot be read allows nothing that anybody knows.
func (a *app) advisoryAge(ctx context.Context) (seconds int64, from string) {
	t, err := a.findMap()
	var m *decisionmap.Map
	if err == nil {
		m, err = t.load()
	}
	var released *releasedMap
	if err == nil {
		m, released, err = a.underRelease(ctx, t, m)
	}
	if err != nil {
		return -1, "the map cannot be read: " + err.Error()
	}
	var age decisionmap.Duration
	for _, p := range m.Points {
		for _, n := range p.Needs {
			if n.Kind != string(verdict.KindVulnerabilities) {
				continue
			}
			if d := m.MaxDataAge(n, "advisories"); d > 0 && (age == 0 || d < age) {
				age = d
			}
		}
	}
	return age.Seconds(), seen(t, m, released).inWords()
}

// judge gives the age of data that was confirmed at a time, and what that means.
func (l advisoryList) judge(at, now time.Time) (age int64, state string) {
	if at.IsZero() || at.After(now) {
		return -1, ageUnknown
	}
	age = int64(now.Sub(at) / time.Second)
	switch {
	case l.MaxAge < 0:
		return age, ageUnknown
	case l.MaxAge > 0 && age > l.MaxAge:
		return age, ageStale
	}
	return age, ageFresh
}

// stateHeads is how a state is said to people.
var stateHeads = map[string]string{ageFresh: "FRESH", ageStale: "STALE", ageUnknown: "OF UNKNOWN AGE"}

// why says what the state rests on.
func (l advisoryList) why() string {
	age := "the age of the oldest part that counts is unknown"
	if l.Age >= 0 {
		age = "the oldest part that counts is " + ageText(l.Age) + " old"
	}
	switch {
	case l.MaxAge < 0:
		return age + ", and what is allowed cannot be told: " + l.MaxAgeFrom
	case l.MaxAge == 0:
		return age + ", and " + l.MaxAgeFrom + " allows any"
	}
	return age + ", and " + l.MaxAgeFrom + " allows " + ageText(l.MaxAge)
}

func (l advisoryList) text(s report.Style) string {
	out := report.Wrap(s.Strong(stateHeads[l.State])+": "+report.Neutral(l.why()), s.Width, "") + "\n"
	rows := [][]string{}
	for _, x := range l.Sources {
		old := "age unknown"
		if x.Age >= 0 {
			old = ageText(x.Age) + " old"
		}
		state := x.State
		if !x.Decides {
			state = "not counted"
		}
		rows = append(rows, []string{report.Neutral(x.Name), state, old, recordsText(x.Source)})
	}
	out += report.Table(rows, s.Width, "  ")
	for _, n := range l.notes() {
		out += report.Wrap(report.Neutral(n), s.Width, "") + "\n"
	}
	return out
}

// notes says what the table does not: what is covered, what is not known, what to do.
func (l advisoryList) notes() []string {
	out := []string{"Complete for " + strings.Join(l.Covers, ", ") + ". Packages of other ecosystems are unknown, never clean."}
	if len(l.Covers) == 0 {
		out[0] = "Complete for no ecosystem: every package is unknown. Say what a source is complete for with verdict advisories import FILE --covers ECOSYSTEM."
	}
	if !l.KnowsExploited {
		out = append(out, "Which vulnerabilities are exploited is unknown: verdict advisories import --kev FILE takes CISA's catalogue.")
	}
	if l.State == ageStale {
		out = append(out, "fix: verdict advisories update, or import a newer copy of what is stale; verdict advisories remove NAME takes out what another source replaced")
	}
	if l.State == ageUnknown && l.MaxAge >= 0 {
		out = append(out, "fix: say when the data was taken: verdict advisories import FILE --as-of TIME; and check this machine's clock")
	}
	return out
}

// recordsText counts what a source brought, and what of it could not be used.
func recordsText(s advisory.Source) string {
	c := s.Counts
	words := map[advisory.Family]string{advisory.FamilyOSV: "advisories", advisory.FamilyKEV: "known to be exploited", advisory.FamilyEPSS: "with a score"}
	if c.Records == 1 {
		words[advisory.FamilyOSV] = "advisory"
	}
	out := counted(c.Records) + " " + words[s.Family]
	if len(s.Covers) > 0 {
		out += " for " + strings.Join(s.Covers, ", ")
	}
	if left := unusedText(c); left != "" {
		out += "; " + left
	}
	return report.Neutral(out)
}

// unusedText counts what could not be used or compared; empty when all could.
func unusedText(c advisory.Tally) string {
	var out []string
	for _, x := range []struct {
		n    int64
		what string
	}{
		{c.Unreadable, "unreadable"}, {c.NotMatchable, "without versions to compare"}, {c.BadRanges, "with ranges that have no order"},
		{c.NoPackage, "about no package"}, {c.Duplicates, "twice"}, {c.Withdrawn, "withdrawn"},
	} {
		if x.n > 0 {
			out = append(out, counted(x.n)+" "+x.what)
		}
	}
	return strings.Join(out, ", ")
}

func (c *advisoryChange) text(s report.Style, now time.Time) string {
	var b strings.Builder
	for _, t := range c.Sources {
		verb := map[string]string{"imported": "Imported", "fetched": "Fetched", "unchanged": "Unchanged, and confirmed:"}[t.State]
		b.WriteString(s.Strong(verb+" "+report.Neutral(t.Name)) + "\n")
		rows := [][]string{{"from", report.Neutral(t.Origin)}, {"holds", recordsText(t.Source)}}
		if t.Family == advisory.FamilyOSV && len(t.Covers) == 0 {
			rows = append(rows, []string{"covers", "no ecosystem, as far as it tells, so its packages stay unknown: say what it is complete for with --covers"})
		}
		if t.Confirmed.IsZero() {
			rows = append(rows, []string{"as of", "unknown: it counts as stale"})
		} else {
			rows = append(rows, []string{"as of", t.Confirmed.Format("2006-01-02 15:04Z") + ", " + ageText(int64(now.Sub(t.Confirmed)/time.Second)) + " ago"})
		}
		if t.State == "fetched" {
			how := fmt.Sprintf("%d KiB", (t.Bytes+1023)>>10)
			if t.Resumed {
				how += ", continuing an earlier download"
			}
			rows = append(rows, []string{"fetched", how})
		}
		for i, x := range t.Skipped {
			if i == 5 {
				rows = append(rows, []string{"", fmt.Sprintf("and %s more; -o json names the first %d", counted(t.Counts.Unreadable-5), len(t.Skipped))})
				break
			}
			label := ""
			if i == 0 {
				label = "left out"
			}
			rows = append(rows, []string{label, report.Neutral(report.Cut(x.Name, 60) + ": " + x.Reason)})
		}
		b.WriteString(report.Table(rows, s.Width, "  "))
	}
	return b.String() + c.Rematched.text()
}

// ageText is a length of time in the unit that a person thinks in.
func ageText(seconds int64) string {
	switch {
	case seconds < 120:
		return plural(int(seconds), "second", "seconds")
	case seconds < 2*3600:
		return plural(int(seconds/60), "minute", "minutes")
	case seconds < 2*86400:
		return plural(int(seconds/3600), "hour", "hours")
	}
	return plural(int(seconds/86400), "day", "days")
}

// counted writes a number with commas.
func counted(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
