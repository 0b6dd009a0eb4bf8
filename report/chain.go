package report

import (
	"time"

	"verdict"
)

// Chain is where a subject stands between the commit that it came from and what runs.
type Chain struct {
	From []Link `json:"from"` // what it was made from, as artifact.trust took it
	Made []Link `json:"made"` // what was made from it
	// Answers are those about the subject itself that stand, in the order of the points.
	Answers []Answer   `json:"answers"`
	Runs    []Deployed `json:"runs"` // where it is stated to run
}

// Link is another subject of a chain.
type Link struct {
	Subject verdict.Subject `json:"subject"`
	By      string          `json:"by"` // the decision that joins the two
	Answers []Answer        `json:"answers"`
	Runs    []Deployed      `json:"runs"`
}

// tell writes the chain, from the commit to what runs.
func (c *Chain) tell(p *page, now time.Time) {
	if c == nil {
		return
	}
	p.heading("Where it stands")
	rows := [][]string{}
	link := func(lead string, l Link) {
		rows = append(rows, []string{lead, join(subjectText(l.Subject)+",", "as", shortID(l.By), "says")})
		rows = append(rows, answerRows(l.Answers)...)
		rows = append(rows, runRows(l.Runs, now)...)
	}
	for _, l := range c.From {
		link("made from", l)
	}
	if len(c.Answers) > 0 {
		rows = append(rows, []string{"itself", ""})
		rows = append(rows, answerRows(c.Answers)...)
	}
	rows = append(rows, runRows(c.Runs, now)...)
	for _, l := range c.Made {
		link("became", l)
	}
	p.table(rows, "  ")
}

// answerRows groups answers that say the same, so that what differs is seen.
func answerRows(answers []Answer) [][]string {
	var rows [][]string
	groups := map[string]int{}
	for _, a := range answers {
		said := trailAnswer(TrailNode{Outcome: a.Outcome, Enforced: a.Enforced})
		if a.Environment != "" {
			rows = append(rows, []string{"", said.mark + " " + join("into", word(a.Environment)+":", said.words, parens(shortID(a.ID)))})
			continue
		}
		key := said.mark + " " + said.words
		if i, ok := groups[key]; ok {
			rows[i][1] += ", " + word(a.Point)
			continue
		}
		groups[key] = len(rows)
		rows = append(rows, []string{"", key + ": " + word(a.Point)})
	}
	return rows
}

func runRows(runs []Deployed, now time.Time) [][]string {
	var rows [][]string
	for _, r := range runs {
		text := join("runs in", word(r.Environment), "as", word(r.Service), "since", when(r.At), parens(age(r.At, now)))
		mark := "· "
		if !r.Trusted {
			mark, text = "? ", text+", as a signer claims whom the map does not trust with it"
		}
		if len(r.Outcomes) > 0 {
			text += ": " + word(string(r.Outcomes[0].Result))
			if !r.Outcomes[0].Trusted {
				text += ", as is claimed"
			}
		}
		rows = append(rows, []string{"", mark + text})
	}
	return rows
}
