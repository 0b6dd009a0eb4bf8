package ledger_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

func TestDecisionsAreFoundByIdAndByWhatTheyAreAbout(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l := b.begun()
		first := b.append(l, b.decision("deploy.gate", subject("a"), verdict.Deny)) // d000001
		second := b.append(l, b.decision("deploy.gate", subject("a"), verdict.Allow))
		b.append(l, b.decision("deploy.gate", subject("b"), verdict.Review))

		e, d, err := l.Decision(t.Context(), "d000001", ledger.Now)
		if err != nil || e.Index != first.Index || d.Outcome != verdict.Deny || d.Subject.Digest != subject("a").Digest {
			t.Errorf("%+v, %+v, %v", e, d, err)
		}
		if _, _, err := l.Decision(t.Context(), "d0000", ledger.Now); verdict.AsError(err).Code != verdict.CodeInvalid || !strings.Contains(err.Error(), "d000002") {
			t.Errorf("an id that is not unique: %v", err)
		}
		if _, _, err := l.Decision(t.Context(), "d000002", ledger.Position(second.Index)); verdict.AsError(err).Code != verdict.CodeNotFound {
			t.Errorf("before it was decided: %v", err)
		}
		for _, odd := range []string{"", "d0", "d000%", "d000001\x00", strings.Repeat("d", 5) + "é"} {
			if _, _, err := l.Decision(t.Context(), odd, ledger.Now); verdict.AsError(err).Code != verdict.CodeInvalid {
				t.Errorf("%q: %v", odd, err)
			}
		}
		rows, err := l.Decisions(t.Context(), ledger.DecisionQuery{Subject: subject("a").Digest, At: ledger.Now})
		if err != nil || len(rows) != 2 || rows[0].Replaced != -1 || rows[1].Replaced != second.Index || rows[1].Outcome != verdict.Deny {
			t.Errorf("%+v, %v", rows, err)
		}
		rows, err = l.Decisions(t.Context(), ledger.DecisionQuery{Subject: subject("a").Digest, At: ledger.Position(second.Index)})
		if err != nil || len(rows) != 1 || rows[0].Replaced != -1 {
			t.Errorf("at the position before the second: %+v, %v", rows, err)
		}
		signed, err := l.SignedDecisions(t.Context(), "deploy.gate", rows[0].Environment, ledger.Position(first.Index+1), ledger.Now)
		if err != nil || len(signed) != 2 || signed[0].Index != second.Index || signed[0].Producer != second.Producer || signed[0].Replaced != -1 {
			t.Errorf("with who signed them: %+v, %v", signed, err)
		}
	})
}

// Without it a commit would not lead to the artifacts that were made from it, and a second
// digest of one commit would not be told.
func TestADecisionIsFoundByWhatItsSubjectWasMadeFrom(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l := b.begun()
		commit := verdict.NewDigest("gitCommit", strings.Repeat("c", 40))
		decided := func(id string, about verdict.Subject, from ...verdict.Digest) *evidence.Bundle {
			return b.sign(b.key, verdict.KindDecision, verdict.Decision{ID: id, Point: "artifact.trust", Subject: about, From: from}, about)
		}
		one := b.append(l, decided("d-one", subject("a"), commit, commit))
		b.append(l, decided("d-two", subject("b")))
		found, err := l.Find(t.Context(), ledger.Query{Subject: commit, Kind: verdict.KindDecision, At: ledger.Now})
		if err != nil || len(found) != 1 || found[0].Index != one.Index || len(found[0].Subjects) != 1 || found[0].Subjects[0].Digest != subject("a").Digest {
			t.Errorf("%+v, %v", found, err)
		}
		if rows, err := l.Decisions(t.Context(), ledger.DecisionQuery{Subject: commit, At: ledger.Now}); err != nil || len(rows) != 0 {
			t.Errorf("a decision about the artifact counts as one about the commit: %+v, %v", rows, err)
		}
		if _, err := l.Append(t.Context(), decided("d-three", subject("c"), "gitCommit:CAFE")); err == nil {
			t.Error("what is no digest is taken for one")
		}
		many := make([]verdict.Digest, 17)
		for i := range many {
			many[i] = commit
		}
		if _, err := l.Append(t.Context(), decided("d-four", subject("d"), many...)); err == nil {
			t.Error("a decision may name anything")
		}
		if report, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !report.Holds() {
			t.Errorf("the rows do not follow from the bodies: %+v, %v", report, err)
		}
	})
}

func TestWhatHoldsIsWhatWasSaidLast(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	release := func(n int) ledger.Entry {
		return b.append(l, b.sign(b.key, verdict.KindMapRelease, map[string]any{"number": n}, subject("map")))
	}
	if _, found, err := l.Release(t.Context(), verdict.KindMapRelease, ledger.Now); found || err != nil {
		t.Errorf("nothing was released: %v, %v", found, err)
	}
	one, two := release(1), release(2)
	for at, want := range map[ledger.Position]int64{ledger.Now: two.Index, ledger.Position(two.Index): one.Index, ledger.Position(one.Index): -1} {
		e, found, err := l.Release(t.Context(), verdict.KindMapRelease, at)
		if err != nil || found != (want >= 0) || found && e.Index != want {
			t.Errorf("at %d: %+v, %v, %v", at, e, found, err)
		}
	}
	exception := func(id, service string) ledger.Entry {
		return b.append(l, b.sign(b.key, verdict.KindException, verdict.Exception{ID: id, Service: service, Ticket: time.Duration(b.serial.Add(1)).String()}, subject("x")))
	}
	exception("x-1", "shop")
	changed, other := exception("x-1", "shop"), exception("x-2", "bank")
	all, err := l.Standing(t.Context(), verdict.KindException, "", ledger.Now)
	if err != nil || len(all) != 2 || all[0].Index != other.Index || all[1].Index != changed.Index {
		t.Errorf("%+v, %v", all, err)
	}
	shop, err := l.Standing(t.Context(), verdict.KindException, "shop", ledger.Now)
	if err != nil || len(shop) != 1 || shop[0].Index != changed.Index {
		t.Errorf("%+v, %v", shop, err)
	}
	if _, err := l.Standing(t.Context(), verdict.KindSBOM, "", ledger.Now); err == nil {
		t.Error("an SBOM replaces nothing")
	}
}

func TestStatementsThatNoIndexCanHoldAreRefused(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	long := strings.Repeat("x", 600)
	for name, x := range map[string]*evidence.Bundle{
		"a long service":            b.signIn(b.key, verdict.KindTestResult, map[string]any{}, verdict.Context{Service: long}, subject("a")),
		"a NUL in the point":        b.signIn(b.key, verdict.KindTestResult, map[string]any{}, verdict.Context{Point: "a\x00b"}, subject("a")),
		"a decision without an id":  b.sign(b.key, verdict.KindDecision, verdict.Decision{Point: "p", Subject: subject("a")}, subject("a")),
		"a decision with an odd id": b.sign(b.key, verdict.KindDecision, verdict.Decision{ID: "a b", Point: "p", Subject: subject("a")}, subject("a")),
		"an exception without id":   b.sign(b.key, verdict.KindException, map[string]any{}, subject("a")),
		"an exception of odd type":  b.sign(b.key, verdict.KindException, map[string]any{"id": 7}, subject("a")),
		"a key event of nonsense":   b.sign(b.key, verdict.KindKey, map[string]any{"action": "steal", "key": "k"}, subject("a")),
		"a bare ingestion":          b.sign(b.key, verdict.KindIngestion, map[string]any{}, subject("a")),
	} {
		_, err := l.Append(t.Context(), x)
		if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, kind := range []verdict.Kind{verdict.KindReceipt, verdict.KindEpoch} {
		if _, err := l.Append(t.Context(), b.sign(b.key, kind, map[string]any{}, subject("a"))); verdict.AsError(err).Code != verdict.CodeForbidden {
			t.Errorf("a %s of somebody: %v", kind, err)
		}
	}
	if e := b.append(l, b.other(10)); e.Index != 1 {
		t.Errorf("something was recorded: next is %d", e.Index)
	}
}

func TestOneBadStatementDoesNotTakeTheOthersAlong(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	bad := b.sign(b.key, verdict.KindException, map[string]any{}, subject("a"))
	if _, err := l.AppendAll(t.Context(), []*evidence.Bundle{b.other(10), bad}); err == nil || !strings.Contains(err.Error(), "statement 2 of 2") {
		t.Errorf("together with a bad one: %v", err)
	}
	if c, err := l.Checkpoint(t.Context()); err != nil || c.Size != 1 {
		t.Errorf("half of a call was recorded: %+v, %v", c, err)
	}
}

// Who asks in a year when something was recorded gets an answer that the log signed
// within a minute of it.
func TestEntriesGetAReceiptWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		l, err := b.try(func(o *ledger.Options) { o.Now = time.Now })
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		b.append(l, b.enrolment(b.key, b.key))
		b.append(l, b.other(10))
		time.Sleep(59 * time.Second)
		if r := receipts(t, l); len(r) != 0 {
			t.Errorf("%d receipts too early", len(r))
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		r := receipts(t, l)
		if len(r) != 1 || r[0].Index != 2 {
			t.Fatalf("after a minute: %+v", r)
		}
		time.Sleep(time.Hour)
		if r := receipts(t, l); len(r) != 1 {
			t.Errorf("%d receipts for nothing new", len(r))
		}
		b.append(l, b.other(10))
		time.Sleep(61 * time.Second)
		if r := receipts(t, l); len(r) != 2 {
			t.Errorf("%d receipts after the next entry", len(r))
		}
		v, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
		if err != nil || !v.Holds() || v.Verified != 5 {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func receipts(t *testing.T, l *ledger.Ledger) []ledger.Entry {
	t.Helper()
	e, err := l.Find(t.Context(), ledger.Query{Kind: verdict.KindReceipt, At: ledger.Now})
	if err != nil {
		t.Fatal(err)
	}
	return e
}
