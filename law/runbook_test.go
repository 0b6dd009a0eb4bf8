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
