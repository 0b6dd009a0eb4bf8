package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/forge"
	"verdict/store"
)

// What is not a forge's, or is sent a second time, must not make the server act.
func TestDeliveriesAreTakenOnce(t *testing.T) {
	b := newHooked(t)
	stale, ahead, fresh := event(forge.Changed), event(forge.Changed), event(forge.Changed)
	stale.At, ahead.At, fresh.At = b.now.Add(-73*time.Hour), b.now.Add(11*time.Minute), b.now.Add(-71*time.Hour)
	other := event(forge.Changed)
	other.Commit = strings.Repeat("2", 40)
	for _, c := range []struct {
		name   string
		id     string
		event  forge.Event
		head   []string
		status int
		says   string
	}{
		{"a forged one", "d-1", event(forge.Changed), []string{"X-Secret", "guess"}, 403, "X-Secret"},
		{"a good one", "d-1", event(forge.Changed), nil, 202, "waiting"},
		{"the same again", "d-1", event(forge.Changed), nil, 200, "waiting"},
		{"its name over another body", "d-1", other, nil, 409, "another body"},
		{"its body under another name", "d-2", event(forge.Changed), nil, 409, "received before"},
		{"one of three days ago", "d-3", stale, nil, 409, "no time"},
		{"one of the future", "d-4", ahead, nil, 409, "no time"},
		{"one that took long", "d-5", fresh, nil, 202, "waiting"},
		{"one that leads nowhere", "d-6", forge.Event{Name: "ping"}, nil, 202, "ignored"},
		{"that again", "d-6", forge.Event{Name: "ping"}, nil, 200, "ignored"},
	} {
		if status, body := b.deliver(c.id, c.event, c.head...); status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
	if status, body := b.send("d-7", `{"kind":7}`); status != 422 || !strings.Contains(body, "remedy") {
		t.Errorf("a signed one that cannot be read: %d %s", status, body)
	}
	if d := b.kept("d-7"); d.State != store.DeliveryFailed || d.Told == "" {
		t.Errorf("what cannot be read is not told: %+v", d)
	}
	if status, body := b.send("d-8", strings.Repeat(" ", 2<<20)); status != 413 {
		t.Errorf("too large: %d %s", status, body)
	}
	if n := b.works(); n != 2 {
		t.Errorf("%d turns for two deliveries", n)
	}
}

func TestWhatIsRecordedIsShownAndFollowed(t *testing.T) {
	b := newHooked(t)
	b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "house"}, verdict.Deny)
	denied := b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "house"}, verdict.Deny)
	b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "stranger"}, verdict.Allow)
	lie := b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "house"}, verdict.Allow)
	b.asker.liars[lie.ID] = true
	b.deliver("d-1", event(forge.Changed))
	b.works()
	if len(b.bell.marks) != 1 || b.bell.marks[0].Decision.ID != denied.ID || b.bell.marks[0].Name != "verdict / ci.secrets" || b.bell.marks[0].Title != "denied" || !strings.HasSuffix(b.bell.marks[0].URL, denied.ID) {
		t.Fatalf("the newest that counts, of the services of the repository, and no other: %+v", b.bell.marks)
	}
	if b.later(time.Minute) != 0 {
		t.Error("what waits is worked on without news")
	}
	from, err := b.led.Position(t.Context())
	b.must(err)
	allowed := b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "house"}, verdict.Allow)
	at, err := b.hooks.followFrom(t.Context(), from)
	b.must(err)
	if at != from+1 || b.works() == 0 || len(b.bell.marks) != 2 || b.bell.marks[1].Decision.ID != allowed.ID {
		t.Errorf("what was decided later is not shown: %+v", b.bell.marks)
	}
	// The same head, asked for again, is shown again.
	again := event(forge.Changed)
	again.Name = "check_run.rerequested"
	b.deliver("d-2", again)
	b.works()
	if len(b.bell.marks) != 3 {
		t.Errorf("%d marks", len(b.bell.marks))
	}
	b.later(8 * 24 * time.Hour)
	if d := b.kept("d-1"); d.State != store.DeliveryDone || d.Waits != "" {
		t.Errorf("a commit is followed for ever: %+v", d)
	}
}

// An installation in a repository that the map does not name must learn nothing.
func TestARepositoryThatTheMapDoesNotNameIsToldNothing(t *testing.T) {
	b := newHooked(t)
	b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "house"}, verdict.Allow)
	for _, kind := range []forge.EventKind{forge.Changed, forge.Asked, forge.Deploys} {
		e := event(kind)
		e.Address = "https://forge.example/mallory/house"
		b.deliver("d-"+string(kind), e)
		b.works()
		if d := b.kept("d-" + string(kind)); d.State != store.DeliveryDone || !strings.Contains(d.Told, "no service") || len(b.bell.marks) != 0 {
			t.Errorf("%s: %+v, %+v", kind, d, b.bell.marks)
		}
	}
	for _, a := range b.bell.answers {
		if a.Passes() || !a.Final() {
			t.Errorf("answered with %+v", a)
		}
	}
	if len(b.bell.answers) != 2 || len(b.asker.asked) != 0 {
		t.Errorf("%d answers, and the gate was asked %d times", len(b.bell.answers), len(b.asker.asked))
	}
}

// A status check that passes before every point has decided lets unjudged changes in.
func TestAStatusCheckPassesWhenEveryPointLetItPass(t *testing.T) {
	b := newHooked(t)
	b.deliver("d-1", event(forge.Asked))
	step := func(point string, o verdict.Outcome, want verdict.Outcome) {
		t.Helper()
		from, err := b.led.Position(t.Context())
		b.must(err)
		b.decides(verdict.Decision{Point: point, Subject: change(), Service: "house"}, o)
		_, err = b.hooks.followFrom(t.Context(), from)
		b.must(err)
		b.works()
		if got := b.bell.last(); got.Outcome != want || got.Comment == "" {
			t.Errorf("after %s said %s: %+v", point, o, got)
		}
	}
	b.works()
	if a := b.bell.last(); a.Final() || !strings.Contains(a.Comment, "ci.secrets") {
		t.Errorf("with nothing decided: %+v", a)
	}
	step("ci.secrets", verdict.Allow, verdict.Review)
	step("code.review", verdict.Deny, verdict.Deny)
	step("code.review", verdict.Allow, verdict.Allow)
	step("ci.secrets", verdict.Undecided, verdict.Undecided)
	b.asker.services[0].Points = nil
	b.deliver("d-2", forge.Event{Kind: forge.Asked, Name: "another", Address: event("").Address, Commit: headCommit})
	b.works()
	if a := b.bell.last(); a.Passes() {
		t.Error("where no point judges a change everything passes")
	}
}

func TestADeploymentIsAnsweredByTheGate(t *testing.T) {
	for o, want := range map[verdict.Outcome]verdict.Outcome{verdict.Allow: verdict.Allow, verdict.Deny: verdict.Deny, verdict.Undecided: verdict.Undecided} {
		b := newHooked(t)
		b.asker.gate = func(GateQuestion) verdict.Outcome { return o }
		b.decides(verdict.Decision{Point: "artifact.trust", Layer: verdict.LayerArtifact, Subject: image("a"), Service: "house", From: []verdict.Digest{change().Digest}}, verdict.Allow)
		b.decides(verdict.Decision{Point: "artifact.trust", Layer: verdict.LayerArtifact, Subject: image("b"), Service: "house", From: []verdict.Digest{change().Digest}}, verdict.Allow)
		b.decides(verdict.Decision{Point: "artifact.trust", Layer: verdict.LayerArtifact, Subject: image("c"), Service: "stranger", From: []verdict.Digest{change().Digest}}, verdict.Allow)
		b.deliver("d-1", event(forge.Deploys), "X-Token", "the job's")
		if d := b.kept("d-1"); strings.Contains(string(d.Sealed)+d.Event, "the job's") {
			t.Error("the token of the job is in the database")
		}
		b.works()
		if len(b.bell.answers) != 1 || b.bell.last().Outcome != want || b.bell.tokens[0] != "the job's" || len(b.asker.asked) != 1 {
			t.Fatalf("%s: %+v, %+v", o, b.bell.answers, b.asker.asked)
		}
		q := b.asker.asked[0]
		if q.Artifact.Digest != image("b").Digest || q.Service != "house" || q.Environment != "production" || q.Requester.Login != "jane" || q.System != forge.GitHub {
			t.Errorf("the gate was asked %+v", q)
		}
		d := b.kept("d-1")
		if d.State != store.DeliveryDone || len(d.Sealed) != 0 || b.later(48*time.Hour) != 0 {
			t.Errorf("%+v", d)
		}
		if status, _ := b.deliver("d-1", event(forge.Deploys), "X-Token", "the job's"); status != 200 || b.works() != 0 || len(b.bell.answers) != 1 {
			t.Error("delivered again, it is answered twice")
		}
	}
}

// The answer of a person ends the wait at once; until then the forge is told how to approve,
// once.
func TestADeploymentWaitsForAPerson(t *testing.T) {
	b := newHooked(t)
	approved := false
	b.asker.gate = func(GateQuestion) verdict.Outcome {
		if approved {
			return verdict.Allow
		}
		return verdict.Review
	}
	b.decides(verdict.Decision{Point: "artifact.trust", Layer: verdict.LayerArtifact, Subject: image("a"), Service: "house", From: []verdict.Digest{change().Digest}}, verdict.Allow)
	b.deliver("d-1", event(forge.Deploys))
	second := event(forge.Deploys)
	second.Request = "13"
	b.deliver("d-2", second)
	b.works()
	if len(b.bell.answers) != 2 || b.bell.last().Final() || !strings.Contains(b.bell.last().Comment, "verdict approve d-") || len(b.asker.asked) != 2 {
		t.Fatalf("%+v", b.bell.answers)
	}
	for range 3 {
		b.later(2 * time.Hour)
	}
	if len(b.bell.answers) != 2 || len(b.asker.asked) != 2 {
		t.Errorf("two that wait ask in turns: %d answers, %d questions", len(b.bell.answers), len(b.asker.asked))
	}
	from, err := b.led.Position(t.Context())
	b.must(err)
	approved = true
	b.approves(b.kept("d-1").Told[strings.Index(b.kept("d-1").Told, "(")+1:strings.Index(b.kept("d-1").Told, ")")], image("a"))
	_, err = b.hooks.followFrom(t.Context(), from)
	b.must(err)
	b.works()
	if b.kept("d-1").State != store.DeliveryDone || b.kept("d-2").State != store.DeliveryDone || !b.bell.last().Passes() || len(b.bell.answers) != 4 {
		t.Errorf("%+v\n%+v", b.bell.answers, b.kept("d-2"))
	}
}

func TestADeploymentOfNothingEndsAsANo(t *testing.T) {
	b := newHooked(t)
	b.deliver("d-1", event(forge.Deploys))
	b.works()
	if a := b.bell.last(); a.Final() {
		t.Fatalf("a build beside it may not be ready: %+v", a)
	}
	b.later(11 * time.Minute)
	if a := b.bell.last(); !a.Final() || a.Passes() || b.kept("d-1").State != store.DeliveryDone {
		t.Errorf("%+v, %+v", a, b.kept("d-1"))
	}
	named := event(forge.Deploys)
	named.Artifact = string(image("a").Digest)
	b.asker.gate = func(GateQuestion) verdict.Outcome { return verdict.Allow }
	b.decides(verdict.Decision{Point: "artifact.trust", Layer: verdict.LayerArtifact, Subject: image("a"), Service: "stranger"}, verdict.Allow)
	b.deliver("d-2", named)
	b.works()
	if len(b.asker.asked) != 0 {
		t.Error("the gate is asked about an artifact of a service of another repository")
	}
	b.decides(verdict.Decision{Point: "artifact.trust", Layer: verdict.LayerArtifact, Subject: image("a"), Service: "house"}, verdict.Allow)
	b.later(time.Minute)
	if !b.bell.last().Passes() || len(b.asker.asked) != 1 {
		t.Errorf("the artifact that the sender names: %+v", b.bell.last())
	}
}

// A poisoned delivery ends, and is told; it neither loops nor keeps others waiting.
func TestWhatFailsEndsAndIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		fail  func() error
		turns int
	}{
		"a forge that never answers": {func() error {
			return &verdict.Error{Code: verdict.CodeUnavailable, What: "down", Remedy: "wait"}
		}, mostFaults},
		"a commit that is gone": {func() error {
			return &verdict.Error{Code: verdict.CodeInvalid, What: "No commit found for SHA", Remedy: "push it"}
		}, 1},
		"a defect": {func() error { panic("poison") }, mostFaults},
	} {
		b := newHooked(t)
		b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "house"}, verdict.Deny)
		b.deliver("d-1", event(forge.Changed))
		b.bell.fail = c.fail
		turns := b.works()
		for range 40 {
			turns += b.later(longestPause)
		}
		if d := b.kept("d-1"); d.State != store.DeliveryFailed || d.Told == "" || turns != c.turns {
			t.Errorf("%s: %d turns, %+v", name, turns, d)
		}
		b.bell.fail = nil
		if status, _ := b.deliver("d-1", event(forge.Changed)); status != 200 {
			t.Errorf("%s, delivered again: %d", name, status)
		}
		if b.works() == 0 || len(b.bell.marks) != 1 {
			t.Errorf("%s: what failed cannot be delivered again", name)
		}
	}
}

func TestWhoWaitsIsToldThatThereIsNoAnswer(t *testing.T) {
	b := newHooked(t)
	b.decides(verdict.Decision{Point: "artifact.trust", Layer: verdict.LayerArtifact, Subject: image("a"), Service: "house", From: []verdict.Digest{change().Digest}}, verdict.Allow)
	b.asker.fail = &verdict.Error{Code: verdict.CodeNotFound, What: "the map has no environment production", Remedy: "add it"}
	b.deliver("d-1", event(forge.Deploys))
	b.works()
	if a := b.bell.last(); a.Passes() || !a.Final() || !strings.Contains(a.Comment, "add it") {
		t.Errorf("%+v", a)
	}
}

// A throttle is waited for, and a process that ends in the middle loses nothing and shows
// nothing twice.
func TestWorkGoesOnWhereItEnded(t *testing.T) {
	b := newHooked(t)
	b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "house"}, verdict.Deny)
	b.decides(verdict.Decision{Point: "code.review", Subject: change(), Service: "house"}, verdict.Allow)
	b.deliver("d-1", event(forge.Changed))
	calls := 0
	b.bell.fail = func() error {
		if calls++; calls == 2 {
			return &verdict.Error{Code: verdict.CodeUnavailable, What: "throttled", Remedy: "wait", Err: &forge.Throttle{For: 10 * time.Minute}}
		}
		return nil
	}
	b.works()
	if b.later(9*time.Minute) != 0 {
		t.Error("a forge that throttles is not left alone")
	}
	b.later(2 * time.Minute)
	if len(b.bell.marks) != 2 || b.bell.marks[0].Name == b.bell.marks[1].Name {
		t.Errorf("%+v", b.bell.marks)
	}

	// The process is killed after it claimed: the work is another's when the lease is over.
	b.deliver("d-2", event(forge.Asked))
	for range mostBroken {
		if _, found, err := b.db.ClaimJob(t.Context(), deliveryKind, "dead", b.now.UnixMicro(), b.now.Add(deliveryLease).UnixMicro()); err != nil || !found {
			t.Fatalf("%v, %v", found, err)
		}
		if b.works() != 0 {
			t.Error("work that somebody has is done by another")
		}
		b.now = b.now.Add(deliveryLease + time.Second)
	}
	if d := b.kept("d-2"); b.works() == 0 || d.State != store.DeliveryWaiting {
		t.Errorf("%+v", d)
	}
	if d := b.kept("d-2"); d.State != store.DeliveryFailed || !strings.Contains(d.Told, "the server ended") {
		t.Errorf("what ends the process each time is tried for ever: %+v", d)
	}
}

// What is recorded while a turn is under way finds nobody to wake.
func TestNothingThatIsRecordedDuringATurnIsMissed(t *testing.T) {
	b := newHooked(t)
	b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "house"}, verdict.Deny)
	b.deliver("d-1", event(forge.Changed))
	once := true
	b.bell.fail = func() error {
		if once {
			once = false
			b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "house"}, verdict.Allow)
		}
		return nil
	}
	b.works()
	if n := len(b.bell.marks); n != 2 || b.bell.marks[1].Decision.Enforced != verdict.Allow {
		t.Errorf("%d marks", n)
	}
}

func TestATokenIsOpenedByTheSecretBefore(t *testing.T) {
	b := newHooked(t)
	b.decides(verdict.Decision{Point: "artifact.trust", Layer: verdict.LayerArtifact, Subject: image("a"), Service: "house", From: []verdict.Digest{change().Digest}}, verdict.Allow)
	b.asker.gate = func(GateQuestion) verdict.Outcome { return verdict.Allow }
	b.deliver("d-1", event(forge.Deploys), "X-Token", "the job's")
	b.join(Source{System: forge.GitHub, Hook: b.bell, Seal: [][]byte{[]byte("next"), []byte("now")}})
	b.works()
	if len(b.bell.tokens) != 1 || b.bell.tokens[0] != "the job's" {
		t.Errorf("%q, %+v", b.bell.tokens, b.kept("d-1"))
	}
	if _, err := unseal([][]byte{[]byte("wrong")}, "delivery/bell/d-1", []byte(strings.Repeat("x", 40))); err == nil {
		t.Error("what nobody sealed is opened")
	}
	sealed, err := seal(strings.NewReader(strings.Repeat("n", 12)), [][]byte{[]byte("s")}, "here", "x")
	b.must(err)
	if _, err := unseal([][]byte{[]byte("s")}, "there", sealed); err == nil {
		t.Error("the token of one delivery is opened for another")
	}
	if _, err := seal(strings.NewReader(""), nil, "here", "x"); err == nil {
		t.Error("sealed with nothing")
	}
}

func TestTheTitleTellsWhatIsEnforced(t *testing.T) {
	for want, d := range map[string]verdict.Decision{
		"allowed; denied in mode observe: No secret": {Outcome: verdict.Deny, Enforced: verdict.Allow, Mode: verdict.ModeObserve, Reasons: []verdict.Reason{{Standing: verdict.Accepted, Title: "no"}, {Standing: verdict.Counts, Title: "No secret"}}},
		"could not decide: no network":               {Outcome: verdict.Undecided, Enforced: verdict.Undecided, Mode: verdict.ModeBlock, Errors: []verdict.Fault{{What: "no network"}}},
		"denied":                                     {Outcome: "x", Enforced: "y", Mode: verdict.ModeBlock},
	} {
		if got := title(&d); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWebhooksFollowTheLogFromWhereItIs(t *testing.T) {
	b := newHooked(t)
	at, err := b.hooks.followFrom(t.Context(), -1)
	if now, _ := b.led.Position(t.Context()); err != nil || at != now {
		t.Errorf("%d, %v", at, err)
	}
	if _, err := NewWebhooks(WebhookOptions{}); err == nil {
		t.Error("webhooks of nothing")
	}
}

// Senders who never come to the end of what they send, without knowing any secret, must not
// keep deliveries out.
func TestSlowSendersKeepNoDeliveryOut(t *testing.T) {
	b := newHooked(t)
	for range mostReceiving {
		b.hooks.receiving <- struct{}{}
	}
	if status, body := b.deliver("d-1", event(forge.Changed)); status != 202 {
		t.Errorf("%d %s", status, body)
	}
	done := make(chan int)
	go func() {
		status, _ := b.send("d-2", strings.Repeat(" ", smallDelivery+1))
		done <- status
	}()
	select {
	case status := <-done:
		t.Errorf("more large deliveries are read at once than there are places for: %d", status)
	case <-time.After(100 * time.Millisecond):
	}
	<-b.hooks.receiving
	if status := <-done; status != 400 && status != 422 {
		t.Errorf("when there is a place again: %d", status)
	}
}

// The work ends when it is told to, and what waits is woken by the log meanwhile.
func TestRunFollowsUntilItsEnd(t *testing.T) {
	b := newHooked(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.hooks.Run(ctx, "w") }()
	b.deliver("d-1", event(forge.Changed))
	shown := func(n int) {
		t.Helper()
		for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			b.bell.mu.Lock()
			got := len(b.bell.marks)
			b.bell.mu.Unlock()
			if got == n {
				return
			}
			if time.Since(begun) > 20*time.Second {
				t.Fatalf("%d marks, want %d", got, n)
			}
		}
	}
	for n := range 2 {
		b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "house"}, verdict.Deny)
		shown(n + 1)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the work goes on")
	}
	b.now = b.now.Add(keepDeliveries + time.Hour)
	b.works()
	b.must(b.hooks.Chore().Do(t.Context()))
	b.must(b.db.View(t.Context(), func(v *store.View) error {
		all, err := v.Deliveries(t.Context(), b.now.UnixMicro(), "", 10)
		if len(all) != 0 {
			t.Errorf("%+v is kept for ever", all)
		}
		return err
	}))
}
