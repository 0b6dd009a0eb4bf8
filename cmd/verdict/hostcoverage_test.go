package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// doneBy says how a program does what a command does: by operations of the API, in the order
// in which it asks them, or not at all, for a reason.
type doneBy struct {
	operations []string
	reason     string // one sentence
}

func by(operations ...string) doneBy { return doneBy{operations: operations} }
func alone(reason string) doneBy     { return doneBy{reason: reason} }

// The reasons that several commands have.
const (
	ofAFile   = "It reads a file of the caller's machine, and nothing that a ledger holds."
	ofServer  = "It is for the machine of the ledger, while no server runs there."
	ofTables  = "verdict ci alone reads these tables, on the machine that scans."
	ofCaller  = "It is about the caller's machine alone."
	ofProcess = "It is the process that serves."
)

// coverage is design 7's "the API over everything that the CLI can do": for each command the
// operations by which a program does the same, or why there is none.
var coverage = map[string]doneBy{
	"init":                alone("It looks at a repository and writes a file beside it."),
	"ci":                  by("record-evidence", "decide"),
	"plan check":          by("record-evidence", "decide"),
	"attest":              by("put-blob", "record-evidence"),
	"sbom validate":       alone(ofAFile),
	"sbom show":           by("artifact-sbom"),
	"sbom convert":        alone(ofAFile),
	"vex validate":        alone(ofAFile),
	"vex show":            alone(ofAFile),
	"vex convert":         alone(ofAFile),
	"verify":              alone("It verifies a bundle without believing any server; GET /entries/{index}/bundle gives the recorded ones."),
	"artifact trust":      by("record-evidence", "decide"),
	"artifact show":       by("artifact"),
	"artifact record":     by("record-evidence"),
	"artifact sbom":       by("put-blob", "record-evidence"),
	"artifact push":       by("list-entries", "entry-logged"),
	"artifact pull":       by("put-blob", "record-evidence"),
	"gate":                by("decide"),
	"approve":             by("answer-decision", "withdraw-answer"),
	"reject":              by("answer-decision"),
	"exception add":       by("ask-exception"),
	"exception approve":   by("approve-exception"),
	"exception list":      by("list-exceptions"),
	"exception show":      by("exception"),
	"exception revoke":    by("revoke-exception"),
	"exception export":    by("exceptions-azure-policy", "exceptions-openvex"),
	"exception import":    by("ask-exception"),
	"break-glass open":    by("break-glass"),
	"break-glass review":  by("review-break-glass"),
	"break-glass list":    by("list-break-glass"),
	"admission try":       by("try-admission"),
	"admission manifests": alone("It writes what configures a cluster, from the address and the authority that the cluster is to call."),
	"admission serve":     alone(ofProcess),
	"environments":        by("list-environments", "environment"),
	"diff":                by("changes"),
	"where":               by("where-runs"),
	"findings list":       by("list-findings"),
	"why":                 by("why"),
	"trail":               by("trail"),
	"log checkpoint":      by("checkpoint"),
	"log key":             by("log-key"),
	"log proof":           by("entry-proof", "consistency"),
	"log verify":          by("log-epochs", "log-bodies", "log-epoch-tile"),
	"log receipt":         by("sign-receipt"),
	"log export":          by("log-epochs", "log-bodies", "log-epoch-tile", "entry-logged"),
	"log witness":         by("ask-witnesses", "list-witnesses"),
	"log epoch":           alone(ofServer),
	"log sweep":           by("sweep"),
	"sync":                by("sync"),
	"login":               by("exchange-token"),
	"logout":              by("end-session"),
	"store backup":        alone(ofServer),
	"store restore":       alone(ofServer),
	"store migrate":       alone(ofServer),
	"map lint":            by("lint-map"),
	"map diff":            by("diff-map"),
	"map draw":            by("draw-map"),
	"map show":            by("map-in-force"),
	"map module":          alone("It reads a folder that terraform init or tofu init made."),
	"map release":         by("put-blob", "record-evidence"),
	"policy test":         alone("It tries rules in a folder of the caller, and asks no ledger."),
	"policy replay":       by("replay"),
	"policy backtest":     by("backtest"),
	"policy release":      by("put-blob", "record-evidence"),
	"policy show":         by("policy-in-force"),
	"policy list":         by("list-policies"),
	"advisories update":   by("update-advisories"),
	"advisories import":   by("import-advisories"),
	"advisories list":     by("list-advisories"),
	"advisories remove":   by("remove-advisories"),
	"advisories tables":   alone(ofTables),
	"people enroll":       by("record-evidence"),
	"people list":         by("list-people"),
	"keys list":           by("list-keys"),
	"keys show":           by("show-key"),
	"keys create":         alone(ofCaller),
	"keys public":         alone(ofCaller),
	"keys rotate":         by("record-evidence"),
	"keys revoke":         by("record-evidence"),
	"config explain":      alone(ofCaller),
	"serve":               alone(ofProcess),
	"roles list":          by("list-roles"),
	"roles grant":         by("grant-role"),
	"roles revoke":        by("revoke-role"),
	"tokens create":       by("create-token"),
	"tokens list":         by("list-tokens"),
	"tokens revoke":       by("revoke-token"),
	"sessions list":       by("list-sessions"),
	"sessions revoke":     by("revoke-session"),
	"version":             alone(ofCaller),
	"completion":          alone(ofCaller),
	"reference":           alone("It writes the documents about the program itself."),
}

// runnable are the commands that do something, as they are typed behind verdict, in the
// order of the reference.
func runnable(all []command, above string) (out []string) {
	for _, c := range all {
		name, _, _ := strings.Cut(c.use, " ")
		if c.setup != nil {
			out = append(out, above+name)
		}
		out = append(out, runnable(c.sub, above+name+" ")...)
	}
	return out
}

const coverageBegins, coverageEnds = "<!-- commands and operations: a test writes this -->\n", "<!-- end -->\n"

// Whoever drives Verdict by a program must not find that only a person at a shell can do what
// he needs: each command has operations of the API, or the reason why it has none is written.
func TestWhatACommandDoesAProgramDoes(t *testing.T) {
	_, c, _ := wholeAPI(t)
	at := map[string]string{}
	for path, methods := range c.Paths {
		for method, o := range methods {
			at[o.OperationID] = fmt.Sprintf("`%s %s`", strings.ToUpper(method), strings.TrimPrefix(path, "/api/v1"))
		}
	}
	names := runnable(commands(), "")
	section := "| `verdict …` | by a program |\n|---|---|\n"
	for _, name := range names {
		how, known := coverage[name]
		if !known {
			t.Errorf("verdict %s has no line in coverage: name the operations by which a program does it, or say why there is none", name)
			continue
		}
		if told := how.reason; (told == "") == (len(how.operations) == 0) || told != "" && !strings.HasSuffix(told, ".") {
			t.Errorf("verdict %s has operations %q and the reason %q: it needs either, and a reason is a sentence", name, how.operations, told)
		}
		told := []string{}
		for _, id := range how.operations {
			if at[id] == "" {
				t.Errorf("verdict %s: the API has no operation %s", name, id)
			}
			told = append(told, at[id])
		}
		section += fmt.Sprintf("| %s | %s |\n", name, strings.Join(told, ", ")+how.reason)
	}
	for _, name := range slices.Sorted(maps.Keys(coverage)) {
		if !slices.Contains(names, name) {
			t.Errorf("coverage has a line for verdict %s, and there is no such command", name)
		}
	}
	holdSection(t, section)
}

// holdSection compares the table with that of docs/api.md.
func holdSection(t *testing.T, section string) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "api.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, begins := strings.Cut(string(page), coverageBegins)
	written, tail, ends := strings.Cut(rest, coverageEnds)
	if !begins || !ends {
		t.Fatalf("docs/api.md has no place for the table: %q and %q", coverageBegins, coverageEnds)
	}
	if *update {
		if err := os.WriteFile(path, []byte(head+coverageBegins+section+coverageEnds+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if written != section {
		t.Error("the table of docs/api.md is not that of coverage; go test ./cmd/verdict -run WhatACommandDoes -update writes it")
	}
}

// Whoever copies a line of docs/api.md is answered.
func TestTheExamplesOfTheAPIAreAnswered(t *testing.T) {
	x, _, _ := wholeAPI(t)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^curl -sN?H "Authorization: Bearer \$TOKEN"(?: -H "[A-Za-z-]+: [^"]+")*(?: -d '([^']+)')? "\$SERVER(/[^"]+)"$`)
	asked := 0
	for text := range strings.Lines(string(page)) {
		if !strings.HasPrefix(text, "curl ") {
			continue
		}
		asked++
		m := line.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil {
			t.Errorf("this test does not read %s", text)
			continue
		}
		if strings.HasSuffix(m[2], "/events") { // it has no end: TestLiveEventsNameWhatIsNew
			continue
		}
		method := "GET"
		if m[1] != "" {
			method = "POST"
		}
		if status, body := x.do("dev", method, m[2], m[1]); status != 200 {
			t.Errorf("%s %s: %d %s", method, m[2], status, body)
		}
	}
	if asked < 5 {
		t.Errorf("only %d examples were found", asked)
	}
}
