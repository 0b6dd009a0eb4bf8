package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"verdict"
)

// Changes says what changed in an environment between two positions of the log. It is the
// document verdict.changes/v1.
type Changes struct {
	Schema      string    `json:"schema"`
	Environment string    `json:"environment"`
	Map         string    `json:"map"` // whose trust tells statements from claims
	From        Bound     `json:"from"`
	To          Bound     `json:"to"`
	Stated      bool      `json:"stated"` // a deployment into it was stated by the second of them
	Services    []Change  `json:"services"`
	Exceptions  []Accept  `json:"exceptions"`          // that began or ended to hold there
	Findings    []Finding `json:"findings"`            // that were stated there in between
	NotShown    int       `json:"not_shown,omitempty"` // of lists that were too long for the answer of a server
}

// Bound is one end of what is compared.
type Bound struct {
	Position int64     `json:"position"` // the log's size
	At       time.Time `json:"at"`
}

// Change is what became of one artifact of a service.
type Change struct {
	Service string `json:"service"`
	Team    string `json:"team"`
	Name    string `json:"name"` // of the artifact
	// What is deployed, replaced, ended, rolled back, or returned: it runs what it ran at
	// first, with something else in between.
	What   string         `json:"what"`
	Before verdict.Digest `json:"before"` // empty: nothing was stated to run
	After  verdict.Digest `json:"after"`  // empty: nothing is stated to run any more
	// Commits are what both were made from, as artifact.trust took it; empty is not known.
	CommitBefore verdict.Digest `json:"commit_before"`
	CommitAfter  verdict.Digest `json:"commit_after"`
	Steps        []Step         `json:"steps"` // in their order
}

// Step is one deployment that changed what runs, or one end.
type Step struct {
	Deployed
	// Result ended it; empty for a deployment.
	Result    verdict.Result `json:"result,omitempty"`
	Promotion *Promotion     `json:"promotion,omitempty"`
}

// Accept is an accepted risk that began or ended to hold.
type Accept struct {
	ID      string    `json:"id"`
	Rule    string    `json:"rule"`
	Service string    `json:"service"`
	Began   bool      `json:"began"`
	Why     string    `json:"why"` // of an end: expired, revoked or replaced
	Expires time.Time `json:"expires"`
}

// Finding is one that was stated between the two.
type Finding struct {
	Subject    verdict.Subject `json:"subject"`
	Service    string          `json:"service"`
	Kind       string          `json:"kind"`  // such as runtime.vulnerable
	State      string          `json:"state"` // that it was stated to be in: open, closed …
	Advisories []string        `json:"advisories"`
	Recorded   verdict.Ref     `json:"recorded"`
}

// WriteChanges writes the document as text or json.
func WriteChanges(w io.Writer, format string, x Changes, s Style) error {
	x.Schema = "verdict.changes/v1"
	switch format {
	case "text":
		return writeText(w, changesText(x, s))
	case "json":
		return writeJSON(w, full(x))
	}
	return unknownFormat(format)
}

func changesText(x Changes, s Style) string {
	p := &page{Style: s}
	p.line(p.paint(strong, "What changed in "+word(x.Environment)))
	p.table([][]string{
		{"from", join(when(x.From.At), parens(count(x.From.Position, "entry", "entries")))},
		{"to", join(when(x.To.At), parens(count(x.To.Position, "entry", "entries")))},
	}, "  ")
	switch {
	case !x.Stated:
		p.under("  "+p.paint(care, "?")+" ", "No deployment was ever stated for it. That does not say that nothing changed.")
	case len(x.Services) == 0:
		p.under("  ", "Nothing that runs was stated to change.")
	}
	for _, c := range x.Services {
		c.tell(p)
	}
	if len(x.Exceptions) > 0 {
		p.heading("Accepted risk")
	}
	for _, e := range x.Exceptions {
		what := "began to hold, until " + when(e.Expires)
		if !e.Began {
			what = join("ended:", fit(e.Why, 100))
		}
		p.under("  · ", join("exception", name(e.ID), "of", name(e.Rule), parens(word(e.Service)), what))
	}
	if len(x.Findings) > 0 {
		p.heading("Findings")
	}
	for _, f := range x.Findings {
		ids := []string{}
		for _, id := range f.Advisories {
			ids = append(ids, name(id))
		}
		p.under("  · ", join(word(f.Kind), listed(ids, 3), word(f.State)+":", subjectText(f.Subject), parens(word(f.Service))+",", entry(f.Recorded.Index)))
	}
	return p.String()
}

func (c Change) tell(p *page) {
	p.gap()
	p.line(p.paint(strong, join(word(c.Service), parens(word(c.Team))+":", word(c.Name), word(c.What))))
	was, is := cmp.Or(word(c.Before.Short()), "nothing stated"), cmp.Or(word(c.After.Short()), "nothing stated")
	p.under("  ", was+" → "+is+c.commits())
	for _, s := range c.Steps {
		if s.Result != "" {
			p.under("  · ", join(short(s.Digest), "ended with", word(string(s.Result))+",", when(s.At)+",", "stated by", name(s.By)+",", entry(s.Recorded.Index)))
			continue
		}
		p.under("  · ", join(short(s.Digest), s.stated()))
		if s.Promotion != nil {
			a := s.Promotion.answer()
			p.under("    "+p.paint(a.code, a.mark)+" ", a.words)
		}
	}
}

// commits is the range of commits between the two digests, as far as it is known.
func (c Change) commits() string {
	if c.CommitBefore == "" && c.CommitAfter == "" {
		return ""
	}
	return fmt.Sprintf(" (commits %s..%s)", cmp.Or(strings.TrimSpace(word(c.CommitBefore.Short())), "unknown"), cmp.Or(word(c.CommitAfter.Short()), "unknown"))
}
