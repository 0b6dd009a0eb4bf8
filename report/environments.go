package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"verdict"
)

// Environments says what is at stake in each environment and what is stated to run there.
// It is the document verdict.environments/v1.
type Environments struct {
	Schema   string        `json:"schema"`
	Position int64         `json:"position"` // the log's size that the answer is of
	At       time.Time     `json:"at"`       // that it is of; freezes and validity are told for it
	Map      string        `json:"map"`      // which map says what is at stake
	List     []Environment `json:"environments"`
	// Detail: what runs is listed, and not only counted.
	Detail bool `json:"detail"`
}

// Environment is one of them.
type Environment struct {
	Name     string `json:"name"`
	Declared bool   `json:"declared"` // by the map; else it is only known from a deployment
	// What is at stake, as the map declares it; empty is not declared, which is not harmless.
	Tier        string   `json:"tier"`
	Exposure    string   `json:"exposure"`
	Data        string   `json:"data"`
	BlastRadius string   `json:"blast_radius"`
	Rollback    string   `json:"rollback"`
	Chain       []string `json:"chain"`  // the environments before it, the first one first
	Closed      string   `json:"closed"` // why it must not change at that time; empty: it may
	// OpenReviews are answers of the gate that wait for approval.
	OpenReviews []Answer `json:"open_reviews"`
	Stated      bool     `json:"stated"`     // a deployment into it was stated by then
	Services    int64    `json:"services"`   // that are stated to run
	Artifacts   int64    `json:"artifacts"`  // that are stated to run
	Unpromoted  int64    `json:"unpromoted"` // of these, without a promotion that let them in
	Claims      int64    `json:"claims"`     // of these, stated by a signer whom the map does not trust with it
	// Runs and Ended are told where one environment is asked about.
	Runs []Running `json:"runs"`
	// Ended are services of which the last thing that is stated is an end.
	Ended []Ended `json:"ended"`
}

// Running is one artifact that is stated to run.
type Running struct {
	Deployed
	Promotion Promotion `json:"promotion"`
	// Instead is what ran by the word of a trusted signer when a claim took its place.
	Instead *Deployed `json:"instead,omitempty"`
}

// Ended is what ran last where nothing is stated to run now.
type Ended struct {
	Deployed
	Until time.Time `json:"until"` // when its end was recorded
	// Result is what ended it.
	Result verdict.Result `json:"result"`
}

// WriteEnvironments writes the document as text or json.
func WriteEnvironments(w io.Writer, format string, x Environments, s Style) error {
	x.Schema = "verdict.environments/v1"
	switch format {
	case "text":
		return writeText(w, environmentsText(x, s))
	case "json":
		return writeJSON(w, full(x))
	}
	return unknownFormat(format)
}

func environmentsText(x Environments, s Style) string {
	p := &page{Style: s}
	p.line(p.paint(strong, join("Environments of", word(x.Map)+",", "as of", when(x.At), parens(count(x.Position, "entry", "entries")))))
	if len(x.List) == 0 {
		p.under("  "+p.paint(care, "?")+" ", "The map declares no environment, and no deployment was ever stated.")
	}
	for _, e := range x.List {
		p.gap()
		e.context(p)
		if x.Detail {
			e.detail(p, x.At)
		}
	}
	return p.String()
}

// context is what is at stake, and how much runs.
func (e Environment) context(p *page) {
	stake := []string{}
	for _, x := range [][2]string{{"", e.Tier}, {"exposure ", e.Exposure}, {"data ", e.Data}, {"blast radius ", e.BlastRadius}, {"rollback ", e.Rollback}} {
		value := word(x[1])
		if value == "" {
			value = "not declared"
			if x[0] == "" {
				x[0] = "tier "
			}
		}
		stake = append(stake, x[0]+value)
	}
	if !e.Declared {
		stake = []string{"the map does not declare it: what is at stake is not known"}
	}
	rows := [][]string{{p.paint(strong, word(e.Name)), strings.Join(stake, " · ")}}
	if len(e.Chain) > 0 {
		names := []string{}
		for _, n := range append(e.Chain, e.Name) {
			names = append(names, word(n))
		}
		rows = append(rows, []string{"  comes after", strings.Join(names, " → ")})
	}
	rows = append(rows, []string{"  runs", e.runs()})
	if n := len(e.OpenReviews); n > 0 {
		ids := []string{}
		for _, r := range e.OpenReviews {
			ids = append(ids, shortID(r.ID))
		}
		rows = append(rows, []string{"  waits", count(n, "answer of the gate waits", "answers of the gate wait") + " for approval: " + listed(ids, 5)})
	}
	if e.Closed != "" {
		rows = append(rows, []string{"  closed", fit(e.Closed, 300)})
	}
	p.table(rows, "")
}

// runs counts what is stated. That nothing is stated is told apart from that nothing runs.
func (e Environment) runs() string {
	switch {
	case !e.Stated:
		return "no deployment was ever stated for it. That does not say that nothing runs: what runs in fact, an observation tells"
	case e.Artifacts == 0:
		return "nothing, as the last statements have it"
	}
	text := fmt.Sprintf("%s, %s", count(e.Services, "service", "services"), count(e.Artifacts, "artifact", "artifacts"))
	var but []string
	if e.Unpromoted > 0 {
		but = append(but, number(e.Unpromoted)+" without a promotion")
	}
	if e.Claims > 0 {
		but = append(but, number(e.Claims)+" by a claim")
	}
	return join(text, parens(strings.Join(but, ", ")))
}

// detail lists what runs, by service.
func (e Environment) detail(p *page, now time.Time) {
	for _, r := range e.Runs {
		p.gap()
		p.line(p.paint(strong, join(word(r.Service), parens(word(r.Team)))))
		p.under("  ", join(r.artifact()+",", "since", when(r.At), parens(age(r.At, now))))
		lead := "· "
		if !r.Trusted {
			lead = p.paint(care, "?") + " "
		}
		p.under("  "+lead, r.stated())
		a := r.Promotion.answer()
		p.under("  "+p.paint(a.code, a.mark)+" ", a.words)
		p.under("  · ", r.Promotion.newer())
		if r.Instead != nil {
			p.under("  "+p.paint(care, "?")+" ", join("in its place ran", r.Instead.artifact()+",", "by the word of", name(r.Instead.By)+",", entry(r.Instead.Recorded.Index)))
		}
		r.came(p, "  ")
	}
	for _, x := range e.Ended {
		p.gap()
		p.line(p.paint(strong, join(word(x.Service), parens(word(x.Team)))))
		p.under("  "+p.paint(care, "?")+" ", join("nothing is stated to run since", when(x.Until)+":", x.artifact(), "ended with", word(string(x.Result))+".", "What runs in its place nobody stated"))
		x.came(p, "  ")
	}
}
