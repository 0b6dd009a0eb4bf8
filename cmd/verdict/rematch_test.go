package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

const rematchMap = `schema: verdict/v1
organization: acme
environments:
  production: {tier: prod}
services:
  payments-api: {team: payments}
trust:
  - {name: this machine, key: local, kinds: [sbom, vulnerabilities, deployment, outcome, approval], services: ["*"], environments: ["*"]}
`

func numbered(i int) verdict.Subject {
	return verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/payments-api", Digest: verdict.NewDigest("sha256", fmt.Sprintf("%064x", i))}
}

// built records bills of n artifacts that list lodash, of which the first runs.
func (p person) built(a *app, n int) {
	p.t.Helper()
	w, err := a.open(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	defer w.close()
	var bundles []*evidence.Bundle
	for i := range n {
		bill := json.RawMessage(fmt.Sprintf(`{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"serialNumber":"urn:uuid:%08d-0000-4000-8000-000000000000",
			"components":[{"type":"library","name":"lodash","version":"4.9.0","purl":"pkg:npm/lodash@4.9.0"}]}`, i))
		b, err := w.sign(p.t.Context(), verdict.KindSBOM, numbered(i), bill, verdict.Context{Service: "payments-api"})
		if err != nil {
			p.t.Fatal(err)
		}
		bundles = append(bundles, b)
	}
	one := numbered(0)
	b, err := w.sign(p.t.Context(), verdict.KindDeployment, one, verdict.Deployment{Environment: "production", Service: "payments-api", Name: one.Name, Digest: one.Digest, At: w.now()},
		verdict.Context{Service: "payments-api", Environment: "production"})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := w.ledger.AppendAll(p.t.Context(), append(bundles, b)); err != nil {
		p.t.Fatal(err)
	}
}

// advised makes a folder with an advisory about a package, below a version.
func (p person) advised(name, about string) string {
	p.t.Helper()
	folder := filepath.Join(p.home, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		p.t.Fatal(err)
	}
	p.file(name+"/GHSA-aaaa-bbbb-cccc.json", fmt.Sprintf(`{"schema_version":"1.7.0","id":"GHSA-aaaa-bbbb-cccc","modified":"2026-11-20T00:00:00Z","published":"2026-11-20T00:00:00Z","summary":"s",
		"affected":[{"package":{"ecosystem":"npm","name":%q},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"4.17.21"}]}]}]}`, about))
	return folder
}

// stopper ends what writes to it as soon as it says a word.
type stopper struct {
	at   string
	said strings.Builder
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.at) {
		s.stop()
	}
	return s.said.Write(p)
}

// A popular package is in all that was ever built. Whoever stops the command, or loses the
// machine, has to have heard of what runs, and the rest has to be made up for.
func TestARematchThatIsStoppedHasToldOfWhatRunsAndIsMadeUpFor(t *testing.T) {
	p := newPerson(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	talk := &stopper{at: "What runs: 1 finding opened", stop: stop}
	a := &app{
		env: environment{"HOME": p.home}, stdin: strings.NewReader(""), stdout: &strings.Builder{}, stderr: talk, now: time.Now, rand: rand.Reader,
		log: slog.New(slog.DiscardHandler), progress: newProgress(talk, screen{terminal: true, width: 80}, false),
	}
	a.config.Map = p.file("map.yaml", rematchMap)
	const artifacts = perAppend + 10
	p.built(a, artifacts)
	covers := []string{"--name", "npm", "--covers", "npm", "--as-of", "2026-11-21T00:00:00Z", "--map", a.config.Map}
	imported := func(folder string) string {
		out, _ := p.run(0, append([]string{"advisories", "import", folder}, covers...)...)
		return out
	}
	imported(p.advised("before", "nobody-has-this"))

	other := newPerson(t)
	other.run(0, append([]string{"advisories", "import", p.advised("after", "lodash")}, covers...)...)
	data := filepath.Join(".local", "share", "verdict", advisoryFile)
	index := filepath.Join(p.home, data)
	if err := errors.Join(keepBefore(index), os.Rename(filepath.Join(other.home, data), index)); err != nil {
		t.Fatal(err)
	}
	if done, err := a.rematch(ctx, index); err == nil || done.Opened != 1 || done.Artifacts >= artifacts {
		t.Fatalf("it was not stopped on its way: %+v, %v\n%s", done, err, talk.said.String())
	}
	if out, _ := p.run(0, "findings", "list", "--map", a.config.Map); !strings.Contains(out, "1 finding is open") {
		t.Errorf("what runs has no finding: %s", out)
	}
	if _, err := os.Stat(beforeFile(index)); err != nil {
		t.Fatalf("nothing says any more what has to be made up for: %v", err)
	}
	out := imported(filepath.Join(p.home, "after"))
	if !strings.Contains(out, fmt.Sprintf("%d artifacts whose report changed", artifacts)) || strings.Contains(out, "opened") {
		t.Errorf("it was not made up for, or told twice: %s", out)
	}
	if _, err := os.Stat(beforeFile(index)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was made up for is made up for again: %v", err)
	}
}

// A person waits for an approval, and nobody for what was built and never asked about.
func TestWhatRunsAndWhatIsApprovedIsMatchedFirst(t *testing.T) {
	w, _ := installation(t)
	if _, err := w.state(t.Context(), verdict.KindApproval, numbered(3), verdict.Approval{ID: "a-1", Step: verdict.StepApprove}, verdict.Context{}); err != nil {
		t.Fatal(err)
	}
	bill := func(i int) ledger.BuiltWith {
		return ledger.BuiltWith{Bill: ledger.Entry{Subjects: []verdict.Subject{numbered(i)}}}
	}
	x := &rematching{w: w}
	all, err := x.inOrder(t.Context(), &ledger.Where{
		Running: []ledger.RunsWith{{RunningRow: ledger.RunningRow{Name: numbered(1).Name, Digest: numbered(1).Digest}}},
		Built:   []ledger.BuiltWith{bill(2), bill(1), bill(3), bill(4)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 3, 2, 4} {
		if all[i].Digest != numbered(want).Digest {
			t.Fatalf("place %d is not artifact %d: %v", i, want, all)
		}
	}
}
