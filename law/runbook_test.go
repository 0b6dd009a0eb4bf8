package law

import (
	"fmt"
	"regexp"
	"strings"
)

const runbook = "docs/operations.md"

// runbookRow is the first cell of a row of the runbook: what the program says, with … for what
// differs each time.
var runbookRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]+ \\| [^|]+ \\|$")

var runbookLaw = law{
	name: "what the runbook quotes is what the program says",
	check: func(tr *tree) []breach {
		_, text, found := strings.Cut(tr.texts[runbook], "\n## When it does not start")
		if !found {
			return nil
		}
		var said strings.Builder
		for _, s := range tr.product() {
			for _, l := range literals(s) {
				said.WriteString(l.text + "\x00")
			}
		}
		var out []breach
		for _, row := range runbookRow.FindAllStringSubmatch(text, -1) {
			for part := range strings.SplitSeq(row[1], "…") {
				if !strings.Contains(said.String(), strings.TrimSpace(part)) {
					out = append(out, breach{runbook, 0, fmt.Sprintf("nothing says %q", strings.TrimSpace(part)),
						"write in the first column what the program says, and … for what differs each time"})
				}
			}
		}
		return out
	},
	broken: []example{{"words that nobody says", "-- docs/operations.md --\n## A\n## When it does not start\n| `the disk is empty` | it is | fill it |\n-- git/a.go --\npackage git\nconst a = \"the disk is full\"\n", "nothing says"}},
	fine:   []example{{"words with a place in them", "-- docs/operations.md --\n## A\n## When it does not start\n| `the disk … is full` | it is | empty it |\n-- git/a.go --\npackage git\nvar a = \"the disk \" + b + \" is full\"\nvar b string\n", ""}},
}

const metricsLibrary = "github.com/prometheus/client_golang/prometheus"

var (
	metricName = regexp.MustCompile(`^verdict_[a-z0-9_]+$`)
	metricTold = regexp.MustCompile("`(verdict_[a-z0-9_]+)`")
)

var metricsLaw = law{
	name: "each metric is explained to operators, and no other",
	check: func(tr *tree) []breach {
		_, text, found := strings.Cut(tr.texts[runbook], "\n## What to watch")
		if !found {
			return nil
		}
		told, counted := map[string]bool{}, map[string]bool{}
		for _, m := range metricTold.FindAllStringSubmatch(text, -1) {
			told[m[1]] = true
		}
		var out []breach
		for _, s := range tr.product() {
			if s.importName(metricsLibrary) == "" {
				continue
			}
			for _, l := range literals(s) {
				if !metricName.MatchString(l.text) {
					continue
				}
				counted[l.text] = true
				if !told[l.text] {
					out = append(out, breach{s.path, tr.line(l.node), l.text + " is not in " + runbook, "give it a row there: what it means, and when somebody is to be woken"})
				}
			}
		}
		for name := range told {
			if !counted[name] {
				out = append(out, breach{runbook, 0, name + " is counted by nothing", "take its row out"})
			}
		}
		return out
	},
	broken: []example{
		{"one that nobody explains", "-- docs/operations.md --\n## A\n## What to watch\nnothing\n-- server/a.go --\npackage server\nimport \"" + metricsLibrary + "\"\nvar a = prometheus.NewDesc(\"verdict_new\", \"\", nil, nil)\n", "verdict_new is not in"},
		{"one that is gone", "-- docs/operations.md --\n## A\n## What to watch\n| `verdict_old` | it was | never |\n-- server/a.go --\npackage server\n", "counted by nothing"},
	},
	fine: []example{{"one that both have, and a name that is none", "-- docs/operations.md --\n## A\n## What to watch\n| `verdict_a` | it is | never |\n-- server/a.go --\npackage server\nimport \"" + metricsLibrary + "\"\nvar a = prometheus.NewDesc(\"verdict_a\", \"verdict_ is its prefix\", nil, nil)\n", ""}},
}
