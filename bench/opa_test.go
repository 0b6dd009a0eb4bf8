package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/policy"
)

// A comparison with another version of the engine says nothing about ours.
func TestTheEngineBesideIsTheVersionInside(t *testing.T) {
	pins, err := os.ReadFile("../" + enginePins)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	pin := strings.Fields(string(pins))
	if inside := strings.Fields(bundle.Engine()); pin[0] != inside[0] || pin[1] != "v"+inside[1] {
		t.Errorf("%s pins %s, and the rules run in %s", enginePins, pin[:2], bundle.Engine())
	}
}

// The figure is about a gate that lets an artifact in and looked at all of its findings: a rule
// that fails or says nothing would be measured at other work than is promised.
func TestTheDocumentThatIsComparedPasses25Rules(t *testing.T) {
	bundle, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	ids := compared(bundle)
	if len(ids) != askedRules {
		t.Fatalf("%d rules, want %d", len(ids), askedRules)
	}
	document, err := gateDocument(500)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.ParseInput(document); err != nil {
		t.Fatal(err)
	}
	read, err := inProcess(bundle, ids).ask(t.Context(), document)
	if err != nil {
		t.Fatal(err)
	}
	said, err := read()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		want := verdict.RulePass
		if id == "deploy.gate.exposure" { // nobody watches the service of the example
			want = verdict.RuleSkip
		}
		if said[id] != want {
			t.Errorf("%s: %s, want %s", id, said[id], want)
		}
	}
}

// Sides that do not say the same are not compared: the quicker may only have looked at less.
func TestSidesThatDisagreeAreNotMeasured(t *testing.T) {
	says := func(s verdict.RuleStatus) side {
		return side{name: string(s), ask: func(context.Context, []byte) (answer, error) {
			return func() (map[string]verdict.RuleStatus, error) { return map[string]verdict.RuleStatus{"a": s}, nil }, nil
		}}
	}
	pass, fail := says(verdict.RulePass), says(verdict.RuleFail)
	if err := alike(t.Context(), []side{pass, pass}, nil, []string{"a"}); err != nil {
		t.Error(err)
	}
	if err := alike(t.Context(), []side{pass, fail}, nil, []string{"a"}); err == nil {
		t.Error("a pass and a fail were compared")
	}
	if err := alike(t.Context(), []side{pass, pass}, nil, []string{"a", "b"}); err == nil {
		t.Error("a rule that neither side answered was compared")
	}
	if n, err := answersOf(t.Context(), pass, nil, time.Now().Add(time.Second)); err != nil || n == 0 {
		t.Errorf("%d answers, %v", n, err)
	}
}

// Who has not built the engine is told how, and the row says that it is not known.
func TestAnEngineThatIsNotBuiltIsNamed(t *testing.T) {
	t.Chdir("..")
	_, err := options{tools: t.TempDir()}.engine()
	if err == nil || !strings.Contains(err.Error(), "make -C test/peers engine") {
		t.Errorf("%v", err)
	}
}
