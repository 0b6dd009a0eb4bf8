package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
)

// Deployed is a deployment as it was stated, and what came of it.
type Deployed struct {
	Environment string         `json:"environment"`
	Service     string         `json:"service"`
	Team        string         `json:"team"`
	Name        string         `json:"name"` // of the artifact, without tag and digest
	Digest      verdict.Digest `json:"digest"`
	At          time.Time      `json:"at"` // when it was deployed, as it is stated
	// By is the name of the key that stated it, its id where it has none.
	By string `json:"by"`
	// Trusted: the map lets this signer state deployments of this service here. Without
	// that it is a claim.
	Trusted  bool        `json:"trusted"`
	Run      string      `json:"run"`      // of the pipeline
	Rollback bool        `json:"rollback"` // back to a digest that ran before
	Recorded verdict.Ref `json:"recorded"`
	// Runs says whether it is the last word on what runs there.
	Runs     bool        `json:"runs"`
	Outcomes []Aftermath `json:"outcomes"` // what came of it, the newest first; empty: nothing is stated
}

// Aftermath is what somebody states to have come of a deployment.
type Aftermath struct {
	Result   verdict.Result `json:"result"`
	At       time.Time      `json:"at"`
	By       string         `json:"by"`
	Trusted  bool           `json:"trusted"` // as in Deployed
	Detail   string         `json:"detail"`
	Link     string         `json:"link"`
	Recorded verdict.Ref    `json:"recorded"`
}

// Promotion is the answer that let an artifact into an environment.
type Promotion struct {
	ID       string          `json:"id"`      // of the decision; empty: none
	Named    bool            `json:"named"`   // the deployment itself names it; else it is the one that stood then
	Outcome  verdict.Outcome `json:"outcome"` // empty where the decision is not known
	Enforced verdict.Outcome `json:"enforced"`
	Mode     verdict.Mode    `json:"mode"`
	At       time.Time       `json:"at"`
	Expires  time.Time       `json:"expires"` // zero: does not expire
	// Expired: it does not hold any more when it is asked about. What it let in runs on.
	Expired  bool `json:"expired"`
	RestedOn Rest `json:"rested_on"`
	// Problem is why it did not let the deployment in; empty: it did.
	Problem string `json:"problem"`
	// Newer is the gate's last answer about the same artifact there, where it is another.
	Newer *Answer `json:"newer,omitempty"`
}

// Answer is one decision in short.
type Answer struct {
	ID          string          `json:"id"`
	Point       string          `json:"point"`
	Environment string          `json:"environment"`
	Outcome     verdict.Outcome `json:"outcome"`
	Enforced    verdict.Outcome `json:"enforced"`
	At          time.Time       `json:"at"`
}

// Rest is what people said that a decision counted on, by id.
type Rest struct {
	Approvals  []string `json:"approvals"`
	Exceptions []string `json:"exceptions"`
	BreakGlass string   `json:"break_glass"`
}

// RestedOn collects what lifted the reasons of a decision.
func RestedOn(d verdict.Decision) Rest {
	x := Rest{Approvals: []string{}, Exceptions: []string{}, BreakGlass: d.BreakGlass}
	for _, r := range d.Reasons {
		switch r.Standing {
		case verdict.Approved:
			x.Approvals = append(x.Approvals, r.By...)
		case verdict.Accepted:
			x.Exceptions = append(x.Exceptions, r.By...)
		}
		for _, i := range r.Items {
			if i.Accepted != "" {
				x.Exceptions = append(x.Exceptions, i.Accepted)
			}
		}
	}
	for _, list := range []*[]string{&x.Approvals, &x.Exceptions} {
		slices.Sort(*list)
		*list = slices.DeleteFunc(slices.Compact(*list), func(id string) bool { return id == x.BreakGlass })
	}
	return x
}

// text is empty where the decision rests on nobody's word.
func (x Rest) text() string {
	var parts []string
	for _, of := range []struct {
		one, many string
		ids       []string
	}{{"approval ", "approvals ", x.Approvals}, {"exception ", "exceptions ", x.Exceptions}} {
		ids := make([]string, len(of.ids))
		for i, id := range of.ids {
			ids[i] = name(id)
		}
		switch {
		case len(ids) == 1:
			parts = append(parts, of.one+ids[0])
		case len(ids) > 1:
			parts = append(parts, of.many+listed(ids, 5))
		}
	}
	if x.BreakGlass != "" {
		parts = append(parts, "break-glass "+name(x.BreakGlass))
	}
	return strings.Join(parts, ", ")
}

// listed is the first words of a list, and how many more there are.
func listed(words []string, most int) string {
	if len(words) <= most {
		return strings.Join(words, ", ")
	}
	return strings.Join(words[:most], ", ") + fmt.Sprintf(" and %s more", number(len(words)-most))
}

// answer is the promotion in words.
func (x Promotion) answer() answer {
	switch {
	case x.Problem != "" && x.ID == "":
		return answer{"✗", "no promotion: " + fit(x.Problem, 300), bad}
	case x.Problem != "":
		return answer{"✗", "without a promotion: " + fit(x.Problem, 300), bad}
	}
	a := trailAnswer(TrailNode{Outcome: x.Outcome, Enforced: x.Enforced})
	a.words = join(a.words, "by", shortID(x.ID), parens("mode "+word(string(x.Mode))))
	if on := x.RestedOn.text(); on != "" {
		a.words += ", resting on " + on
	}
	if x.Expired {
		a.mark, a.code = "!", care
		a.words += ", expired " + when(x.Expires)
	}
	if !x.Named {
		a.words += "; the deployment does not name it"
	}
	return a
}

// newer tells the gate's last answer where it changes what is to be thought.
func (x Promotion) newer() string {
	if x.Newer == nil {
		return ""
	}
	a := trailAnswer(TrailNode{Outcome: x.Newer.Outcome, Enforced: x.Newer.Enforced})
	return fmt.Sprintf("asked again since, the gate's answer is: %s (%s, %s)", a.words, shortID(x.Newer.ID), when(x.Newer.At))
}

// words is one result for a person.
func (x Aftermath) words() string {
	text := join(word(string(x.Result)), when(x.At)+",", "stated by", name(x.By)+",", entry(x.Recorded.Index))
	if !x.Trusted {
		text += ", a claim: the map does not trust the signer with it"
	}
	if x.Detail != "" {
		text += ": " + fit(x.Detail, 300)
	}
	return join(text, parens(fit(x.Link, 300)))
}

// mark says whether it went well.
func (x Aftermath) mark() (mark, code string) {
	switch {
	case !x.Trusted:
		return "?", care
	case x.Result == verdict.ResultDeployed:
		return "✓", good
	}
	return "✗", bad
}

// stated is who deployed, when and by which entry.
func (x Deployed) stated() string {
	what := "deployed"
	if x.Rollback {
		what = "rolled back to it"
	}
	text := join(what, when(x.At)+",", "stated by", name(x.By)+",", entry(x.Recorded.Index))
	if x.Run != "" {
		text += ", run " + name(x.Run)
	}
	if !x.Trusted {
		text += ". A claim: the map does not trust the signer with deployments of this service here"
	}
	return text
}

// artifact names what was deployed.
func (x Deployed) artifact() string {
	return join(cmp.Or(word(x.Name), "an artifact"), short(x.Digest))
}

// came writes what came of a deployment.
func (x Deployed) came(p *page, indent string) {
	if len(x.Outcomes) == 0 {
		p.under(indent+p.paint(care, "?")+" ", "what came of it is not stated: verdict attest outcome")
	}
	for i, o := range x.Outcomes {
		if i == 5 {
			p.under(indent, fmt.Sprintf("and %s before", count(len(x.Outcomes)-i, "statement", "statements")))
			break
		}
		mark, code := o.mark()
		p.under(indent+p.paint(code, mark)+" ", o.words())
	}
}

// whyCame tells what a promotion led to, and on whose word it rests.
func whyCame(p *page, c *Case) {
	rest := c.RestedOn.text()
	if rest == "" && len(c.Deployments)+len(c.Outcomes) == 0 && !c.promotes() {
		return
	}
	p.heading("What came of it")
	if rest != "" {
		p.under("  ", "It rests on "+rest+".")
	}
	for _, o := range c.Outcomes {
		mark, code := o.mark()
		p.under("  "+p.paint(code, mark)+" ", o.words())
	}
	if len(c.Deployments) == 0 && c.promotes() {
		p.under("  "+p.paint(care, "?")+" ", "no deployment that uses it is stated")
	}
	for _, d := range c.Deployments {
		now := "not the last word on what runs there"
		if d.Runs {
			now = "runs there now"
		}
		p.under("  · ", join(d.stated()+";", now))
		d.came(p, "    ")
	}
}

// promotes reports whether the decision let an artifact into an environment.
func (c *Case) promotes() bool {
	d := c.Decision
	return d.Layer == verdict.LayerDeploy && d.Environment != "" && d.Enforced == verdict.Allow && d.Subject.Kind == verdict.SubjectArtifact
}
