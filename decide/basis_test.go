package decide_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"verdict"
	"verdict/decide"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/policy"
)

// basisOf is what a decision recorded of its basis.
func (h *house) basisOf(id string) (verdict.Decision, decide.Basis) {
	h.t.Helper()
	_, s, err := h.ledger.DecisionStatement(h.ctx, id, ledger.Now)
	must(h.t, err)
	var rec struct {
		verdict.Decision
		Basis decide.Basis `json:"basis"`
	}
	must(h.t, s.Decode(&rec))
	return rec.Decision, rec.Basis
}

// withoutBlob is a ledger of which one blob is gone, or says something else.
type withoutBlob struct {
	another
	blob verdict.Digest
	says []byte
}

func (w withoutBlob) Blob(ctx context.Context, d verdict.Digest) ([]byte, error) {
	switch {
	case d != w.blob:
		return w.Ledger.Blob(ctx, d)
	case w.says != nil:
		return w.says, nil
	}
	return nil, errors.New("no such blob")
}

// Findings that are many are kept once, however often it is decided on them, and a decision
// still names the digest of the whole document that its rules read.
func TestManyFindingsLieOnceBesideTheDecisionsOnThem(t *testing.T) {
	h, ask := flawedHouse(t, 60)
	first := h.gate(ask)
	h.now = h.now.Add(1e9)
	second := h.gate(ask)
	_, a := h.basisOf(first.ID)
	d, b := h.basisOf(second.ID)
	if a.Findings == "" || a.Findings != b.Findings || bytes.Contains(b.Input, []byte("package-7")) {
		t.Fatalf("the findings of two decisions lie in %q and %q, the second document is %.300s", a.Findings, b.Findings, b.Input)
	}
	content, err := h.ledger.Blob(h.ctx, b.Findings)
	must(t, err)
	parts, err := policy.Parts(b.Input, content)
	must(t, err)
	in, err := policy.ParseInput(bytes.Join(parts[:], nil))
	must(t, err)
	if whole, _ := in.Canonical(); verdict.NewDigest("sha256", fmt.Sprintf("%x", sha256.Sum256(whole))) != d.Digests.Input || len(in.Vulnerabilities.Findings) != 60 {
		t.Errorf("%d findings, and the digest of the document is not the one that is named", len(in.Vulnerabilities.Findings))
	}
	if out := h.backtest(h.engine.Policy, nil); out.Same != out.Decisions {
		t.Errorf("a backtest of the same rules: %+v", out)
	}
}

// The blob is needed where the ledger no longer holds what the findings came from, and only
// there. One that is gone then leaves nothing to be told, and one that says something else is
// told.
func TestFindingsThatAreGoneAreNotGuessed(t *testing.T) {
	h, ask := flawedHouse(t, 60)
	d := h.gate(ask)
	_, b := h.basisOf(d.ID)
	match := int64(-1)
	for _, ref := range d.Evidence {
		if ref.Kind == verdict.KindTestResult || ref.Kind == verdict.KindVulnerabilities {
			match = ref.Index
		}
	}
	if match < 0 {
		t.Fatalf("the decision names no match: %+v", d.Evidence)
	}
	replay := func(w withoutBlob) (*decide.Replayed, error) {
		w.Ledger = h.ledger
		return (&decide.Replayer{Ledger: w, KeyName: h.keyName}).Replay(h.ctx, d.ID, ledger.Now)
	}
	if out, err := replay(withoutBlob{blob: b.Findings}); err != nil || !out.Same || out.Facts.State != verdict.StateVerified {
		t.Errorf("gathered again without the blob: %+v, %v", out, err)
	}
	if out, err := replay(withoutBlob{another: another{missing: match}}); err != nil || !out.Same || out.Facts.State != verdict.StateUnknown {
		t.Errorf("with the blob and without the match: %+v, %v", out, err)
	}
	if out, err := replay(withoutBlob{another: another{missing: match}, blob: b.Findings}); err == nil || !strings.Contains(err.Error(), "findings") {
		t.Errorf("with neither: %+v, %v", out, err)
	}
	content, err := h.ledger.Blob(h.ctx, b.Findings)
	must(t, err)
	other := bytes.Replace(content, []byte(`"malicious":false`), []byte(`"malicious":true`), 1)
	if out, err := replay(withoutBlob{another: another{missing: match}, blob: b.Findings, says: other}); err == nil && out.Same {
		t.Errorf("other findings pass for those that were decided on: %+v", out)
	}
}

// Whoever may decide can record a decision whose findings are others than those it was taken
// on, in which every digest fits. Where the ledger no longer holds what they came from nobody
// can tell that by gathering again. What contradicts itself is found all the same: rules go by
// the counts, and a backtest that believed them would call a release harmless.
func TestFindingsBesideARecordThatContradictItAreFound(t *testing.T) {
	h, ask := flawedHouse(t, 60)
	d := h.gate(ask)
	_, b := h.basisOf(d.ID)
	original, err := h.ledger.Blob(h.ctx, b.Findings)
	must(t, err)
	match := int64(-1)
	for _, ref := range d.Evidence {
		if ref.Kind == verdict.KindTestResult || ref.Kind == verdict.KindVulnerabilities {
			match = ref.Index
		}
	}
	entry, s, err := h.ledger.DecisionStatement(h.ctx, d.ID, ledger.Now)
	must(t, err)
	var list []json.RawMessage
	must(t, json.Unmarshal(original, &list))
	raw := func(list ...json.RawMessage) []byte { out, _ := json.Marshal(list); return out }
	counted := regexp.MustCompile(`"findings":60`)
	for name, c := range map[string]struct {
		findings []byte
		input    func([]byte) []byte
		blob     verdict.Digest // instead of that of the findings
		holds    bool
	}{
		"as it was": {findings: original, holds: true},
		"counted as exploited": {findings: original, input: func(in []byte) []byte {
			return bytes.Replace(in, []byte(`"exploited":0,"findings"`), []byte(`"exploited":1,"findings"`), 1)
		}},
		"counted in another group": {findings: original, input: func(in []byte) []byte {
			return bytes.Replace(in, []byte(`"severity":"medium","since"`), []byte(`"severity":"low","since"`), 1)
		}},
		"counted as younger": {findings: original, input: func(in []byte) []byte {
			return regexp.MustCompile(`"open_seconds":\d+`).ReplaceAll(in, []byte(`"open_seconds":1`))
		}},
		"counted where there is none": {findings: []byte(`[]`)},
		"not counted": {findings: original, input: func(in []byte) []byte {
			return regexp.MustCompile(`"groups":\[[^]]*\]`).ReplaceAll(in, []byte(`"groups":[]`))
		}},
		"exploited, and not counted": {findings: bytes.Replace(original, []byte(`"exploited":false`), []byte(`"exploited":true`), 1)},
		"unsorted":                   {findings: raw(append([]json.RawMessage{list[59]}, list[:59]...)...)},
		"one twice":                  {findings: raw(append([]json.RawMessage{list[0]}, list...)...)},
		"no JSON":                    {findings: []byte(`[{`)},
		"no list":                    {findings: []byte(`{"a":1}`)},
		"nothing":                    {findings: []byte(`null`)},
		"the rules":                  {blob: b.Blobs.Policy},
	} {
		t.Run(name, func(t *testing.T) {
			var predicate, basis, digests map[string]json.RawMessage
			must(t, s.Decode(&predicate))
			must(t, json.Unmarshal(predicate["basis"], &basis))
			must(t, json.Unmarshal(predicate["digests"], &digests))
			id := fmt.Sprintf("d-%016x", sha256.Sum256([]byte(name)))[:18]
			input := bytes.ReplaceAll(b.Input, []byte(d.ID), []byte(id))
			if c.input != nil {
				forged := c.input(input)
				if !counted.Match(input) || bytes.Equal(forged, input) {
					t.Fatal("nothing was forged")
				}
				input = forged
			}
			if c.blob == "" {
				c.blob, err = h.ledger.PutBlob(h.ctx, c.findings)
				must(t, err)
			}
			findings, err := h.ledger.Blob(h.ctx, c.blob)
			must(t, err)
			text := func(v any) json.RawMessage { out, _ := json.Marshal(v); return out }
			whole := sha256.Sum256(bytes.Replace(input, []byte(`"findings":[]`), append([]byte(`"findings":`), findings...), 1))
			digests["input"] = text(fmt.Sprintf("sha256:%x", whole))
			basis["input"], basis["findings"] = input, text(c.blob)
			predicate["id"], predicate["basis"], predicate["digests"] = text(id), text(basis), text(digests)
			x, err := evidence.New(verdict.KindDecision, s.Subjects, predicate, entry.Context, rand.Reader)
			must(t, err)
			forged := h.append("local", x)
			out, err := (&decide.Replayer{Ledger: another{Ledger: h.ledger, missing: match}, KeyName: h.keyName}).Replay(h.ctx, id, ledger.Now)
			if same := err == nil && out.Same && out.Facts.State == verdict.StateUnknown; same != c.holds {
				t.Errorf("replayed as the same: %v, %v", same, err)
			}
			tried := h.backtest(h.engine.Policy, func(b *decide.Backtest) { b.From = ledger.Position(forged.Index) })
			if same := tried.Decisions == 1 && tried.Same == 1; same != c.holds {
				t.Errorf("backtest: %+v", tried)
			}
		})
	}
}
