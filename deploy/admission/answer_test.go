package admission

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/ledger"
)

func expires(t time.Time) func(*ledger.SignedDecision) {
	return func(r *ledger.SignedDecision) { r.Expires = t }
}

// What decides whether a workload starts: each line is a rollout that somebody loses, or a
// hole through which something unpromoted comes in.
func TestWhatRunsInANamespaceWasPromotedToItsEnvironment(t *testing.T) {
	b := newBed(t, "block")
	b.log.decided("d-good", "prod", "a", verdict.Allow)
	b.log.decided("d-staging", "staging", "b", verdict.Allow)
	b.log.decided("d-short", "prod", "c", verdict.Allow, expires(noon.Add(time.Hour)))
	b.log.decided("d-over", "prod", "d", verdict.Allow, expires(noon.Add(-time.Hour)))
	b.log.decided("d-first", "prod", "e", verdict.Allow)
	b.log.decided("d-then", "prod", "e", verdict.Deny)
	b.log.decided("d-review", "prod", "f", verdict.Review)
	b.log.decided("d-strange", "prod", "1", verdict.Allow, func(r *ledger.SignedDecision) { r.Producer = strangeKey })
	b.log.decided("d-mine", "prod", "2", verdict.Allow)
	b.log.decided("d-strange2", "prod", "2", verdict.Deny, func(r *ledger.SignedDecision) { r.Producer = strangeKey })
	b.log.decided("d-warned", "prod", "3", verdict.Deny, func(r *ledger.SignedDecision) { r.Mode, r.Enforced = verdict.ModeWarn, verdict.Allow })
	b.log.decided("d-one", "prod", "4", verdict.Allow)
	b.log.decided("d-two", "prod", "4", verdict.Deny, func(r *ledger.SignedDecision) { r.Service = "pay" })
	b.caughtUp(t)
	for name, c := range map[string]struct {
		namespace, image, answer, says string
	}{
		"promoted here": {"web", image("a"), Promoted, "d-good"},
		"in the other namespace of the environment":     {"pay", image("a"), Promoted, "d-good"},
		"under another name":                            {"web", "mirror.example:5000/web:1@" + string(digest("a")), Promoted, "d-good"},
		"promoted to staging alone":                     {"web", image("b"), Unpromoted, "only to staging"},
		"promoted to production alone":                  {"web-staging", image("a"), Unpromoted, "verdict gate --env staging ghcr.io/acme/web@sha256:aaaa"},
		"a promotion that still holds":                  {"web", image("c"), Promoted, "d-short"},
		"a promotion that is over":                      {"web", image("d"), Expired, "expired at 2026-11-20 11:00 UTC"},
		"an answer that took it back":                   {"web", image("e"), Replaced, "verdict why d-then"},
		"an answer that waits for approval":             {"web", image("f"), Unpromoted, "verdict approve d-review"},
		"promoted by a key that the map does not trust": {"web", image("1"), Unpromoted, "was not promoted"},
		"denied by a key that the map does not trust":   {"web", image("2"), Promoted, "d-mine"},
		"let through by a gate that only warned":        {"web", image("3"), Unpromoted, "because it was in mode warn"},
		"promoted for one service, denied for another":  {"web", image("4"), Promoted, "d-one"},
		"nobody ever asked":                             {"web", image("9"), Unpromoted, "was not promoted to prod"},
		"a tag":                                         {"web", "ghcr.io/acme/web:1.2", NotByDigest, "image: ghcr.io/acme/web@sha256:4444"},
		"a tag of a name that nobody promoted":          {"web", "nginx:1.2", NotByDigest, "name it by its digest"},
		"no tag and no digest":                          {"web", "ghcr.io/acme/web", NotByDigest, "sha256:4444"},
		"a digest that is cut":                          {"web", "ghcr.io/acme/web@sha256:abc", Malformed, "could be pulled"},
		"a digest of another sort":                      {"web", "ghcr.io/acme/web@gitCommit:" + strings.Repeat("a", 40), Malformed, "could be pulled"},
		"two digests":                                   {"web", image("a") + "@" + string(digest("a")), Malformed, "could be pulled"},
		"upper case":                                    {"web", "x@SHA256:" + strings.Repeat("A", 64), Malformed, "could be pulled"},
		"nothing":                                       {"web", "", Malformed, "names no image"},
		"a line break":                                  {"web", "x\n@" + string(digest("a")), Malformed, "could be pulled"},
	} {
		t.Run(name, func(t *testing.T) {
			a := b.asks(t, creates(c.namespace, c.image))
			in := c.answer == Promoted
			if len(a.Findings) != 1 {
				t.Fatalf("%+v", a)
			}
			f := a.Findings[0]
			said := f.Message + f.Remedy + f.Decision
			if a.Allowed != in || f.Answer != c.answer || !strings.Contains(said, c.says) || !in && (f.Remedy == "" || !strings.Contains(a.Message, f.Remedy)) {
				t.Errorf("%v %+v\n%s", a.Allowed, f, a.Message)
			}
			if wants := map[bool]int{true: 0, false: 3}[in]; a.Exit() != wants {
				t.Errorf("exit %d", a.Exit())
			}
		})
	}
}

// A container that nobody looks at runs what it likes.
func TestEachPlaceThatNamesAnImageIsLookedAt(t *testing.T) {
	b := newBed(t, "block")
	b.log.decided("d-good", "prod", "a", verdict.Allow)
	b.caughtUp(t)
	for name, c := range map[string]struct{ kind, object, path string }{
		"pod":                 {"/Pod", `{"spec":{"containers":[{"image":"X"}]}}`, "spec.containers[0]"},
		"init container":      {"/Pod", `{"spec":{"containers":[{"image":"` + image("a") + `"}],"initContainers":[{"image":"` + image("a") + `"},{"image":"X"}]}}`, "spec.initContainers[1]"},
		"ephemeral container": {"/Pod", `{"spec":{"containers":[{"image":"` + image("a") + `"}],"ephemeralContainers":[{"image":"X"}]}}`, "spec.ephemeralContainers[0]"},
		"image volume":        {"/Pod", `{"spec":{"containers":[{"image":"` + image("a") + `"}],"volumes":[{"emptyDir":{}},{"image":{"reference":"X"}}]}}`, "spec.volumes[1]"},
		"deployment":          {"apps/Deployment", `{"spec":{"template":{"spec":{"containers":[{"image":"X"}]}}}}`, "spec.template.spec.containers[0]"},
		"schedule":            {"batch/CronJob", `{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"image":"X"}]}}}}}}`, "spec.jobTemplate.spec.template.spec.containers[0]"},
		"pod template":        {"/PodTemplate", `{"template":{"spec":{"containers":[{"image":"X"}]}}}`, "template.spec.containers[0]"},
		"list":                {"/PodList", `{"items":[{"metadata":{},"spec":{"containers":[{"image":"X"}]}}]}`, "items[0].spec.containers[0]"},
		"unknown kind":        {"argoproj.io/Rollout", `{"spec":{"strategy":{},"template":{"spec":{"containers":[{"name":"c"},{"image":"X"}]}}}}`, "spec.template.spec.containers[1]"},
		"deep in one":         {"acme.example/Fleet", `{"spec":{"groups":[{"pods":[{"podSpec":{"initContainers":[{"image":"X"}]}}]}]}}`, "spec.groups[0].pods[0].podSpec.initContainers[0]"},
		"no image at all":     {"apps/Deployment", `{"spec":{"template":{"spec":{"containers":[{"name":"c"}]}}}}`, "spec.template.spec.containers[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			group, kind, _ := strings.Cut(c.kind, "/")
			r := creates("web")
			r.Kind, r.Object = GroupKind{group, "v1", kind}, json.RawMessage(strings.ReplaceAll(c.object, `"X"`, `"`+image("9")+`"`))
			a := b.asks(t, r)
			if a.Allowed || !strings.Contains(a.Message, c.path) {
				t.Errorf("%+v", a)
			}
			r.Object = json.RawMessage(strings.ReplaceAll(c.object, `"X"`, `"`+image("a")+`"`))
			if a = b.asks(t, r); a.Allowed != (name != "no image at all") {
				t.Errorf("with what was promoted: %+v", a)
			}
		})
	}
	for name, object := range map[string]string{
		"a scale": `{"kind":"Scale","spec":{"replicas":3}}`, "a schema that describes containers": `{"spec":{"properties":{"containers":{"type":"array"}}}}`,
		"values of a chart": `{"spec":{"containers":[{"image":{"repository":"x"}}]}}`, "nothing": `null`,
	} {
		r := creates("web")
		r.Kind, r.Object = GroupKind{"acme.example", "v1", "Other"}, json.RawMessage(object)
		if a := b.asks(t, r); !a.Allowed || a.Answer != NothingRuns {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// A node fails at night and the promotion ended in the evening: the pods have to come back.
// A rollout of the same digest does not.
func TestWhatWasLetInIsScheduledAgainAndNotRolledOutAgain(t *testing.T) {
	b := newBed(t, "block")
	b.log.decided("d-over", "prod", "d", verdict.Allow, expires(noon.Add(-time.Hour)))
	b.log.decided("d-never", "prod", "e", verdict.Deny)
	b.caughtUp(t)
	pod := func(user, c string, owner string) *Request {
		object := `{"metadata":{"generateName":"web-5f-"` + owner + `},` + podOf(image(c))[1:]
		return &Request{Operation: "CREATE", Kind: GroupKind{"", "v1", "Pod"}, Namespace: "web", UserInfo: UserInfo{Username: user}, Object: json.RawMessage(object)}
	}
	const owned = `,"ownerReferences":[{"kind":"ReplicaSet","name":"web-5f","controller":true}]`
	const controller = "system:serviceaccount:kube-system:replicaset-controller"
	for name, c := range map[string]struct {
		r       *Request
		allowed bool
	}{
		"by the controller":                     {pod(controller, "d", owned), true},
		"of what was never let in":              {pod(controller, "e", owned), false},
		"of what nobody asked about":            {pod(controller, "9", owned), false},
		"without an owner":                      {pod(controller, "d", ""), false},
		"by a person who names an owner":        {pod("jane@acme.example", "d", owned), false},
		"by a service account of somebody else": {pod("system:serviceaccount:web:replicaset-controller", "d", owned), false},
		"as a new rollout":                      {creates("web", image("d")), false},
	} {
		if a := b.asks(t, c.r); a.Allowed != c.allowed {
			t.Errorf("%s: %+v", name, a)
		} else if c.allowed && (a.Findings[0].Answer != Rescheduled || a.Findings[0].Decision != "d-over" || a.workload != "ReplicaSet/web-5f") {
			t.Errorf("%s: %+v", name, a)
		}
	}
	update := creates("web", image("d"), "nginx:1")
	update.Operation, update.OldObject = "UPDATE", deploymentOf("nginx:1", image("d"))
	if a := b.asks(t, update); !a.Allowed || a.Answer != NothingNew {
		t.Errorf("an update that changes no image: %+v", a)
	}
	update.Object = deploymentOf("nginx:1", image("d"), image("e"))
	if a := b.asks(t, update); a.Allowed || len(a.Findings) != 1 || a.Findings[0].Digest != digest("e") {
		t.Errorf("an update that brings another: %+v", a)
	}
	for _, op := range []string{"DELETE", "CONNECT"} {
		r := creates("web", image("9"))
		r.Operation = op
		if a := b.asks(t, r); !a.Allowed || a.Answer != NothingRuns {
			t.Errorf("%s: %+v", op, a)
		}
	}
}

// A point that only warns must stop nothing, and must not be silent either.
func TestTheModeSaysWhatIsHeldBack(t *testing.T) {
	for mode, wants := range map[string]string{"block": "false 0", "warn": "true 1", "observe": "true 0"} {
		b := newBed(t, mode).caughtUp(t)
		a := b.asks(t, creates("web", image("9")))
		n := a.annotations()
		if got := fmt.Sprint(a.Allowed, " ", len(a.Warnings)); got != wants || a.Outcome != verdict.Deny || n["outcome"] != "deny" || n["mode"] != mode || n["environment"] != "prod" || n["digest"] != string(digest("9")) || n["requester"] != "person jane" {
			t.Errorf("%s: %s %+v %v", mode, got, a, n)
		}
		if mode == "warn" && (!strings.HasPrefix(a.Warnings[0], "verdict: would be denied: ") || len(a.Warnings[0]) > maxWarning) {
			t.Errorf("%q", a.Warnings)
		}
	}
	b := newBed(t, "warn, enforce_from: 2026-11-20T13:00:00Z").caughtUp(t)
	before := b.asks(t, creates("web", image("9"))).Allowed
	if b.now = noon.Add(2 * time.Hour); b.caughtUp(t).asks(t, creates("web", image("9"))).Allowed || !before {
		t.Error("the day from which it blocks does not count")
	}
}

// A namespace that nobody thought of is the way past everything, or the end of a cluster's
// own tools: which of the two is said, never guessed.
func TestANamespaceThatNobodyClaims(t *testing.T) {
	for policy, wants := range map[string]string{"": "true true 1", "admission: {unmapped: ignore}": "true false 0", "admission: {unmapped: deny}": "false true 0"} {
		b := newBed(t, "block", policy).caughtUp(t)
		a := b.asks(t, creates("other", image("9")))
		if got := fmt.Sprint(a.Allowed, " ", a.records, " ", len(a.Warnings)); got != wants {
			t.Errorf("%q: %s %+v", policy, got, a)
		}
	}
	two := newBed(t, "block", "")
	two.m = loaded(t, "block")
	e := two.m.Environments["staging"]
	e.Kubernetes = two.m.Environments["prod"].Kubernetes
	two.m.Environments["staging"] = e
	two.log.decided("d-good", "prod", "a", verdict.Allow)
	if a := two.caughtUp(t).asks(t, creates("web", image("a"))); a.Allowed || !strings.Contains(a.Message, "prod and staging all claim") {
		t.Errorf("two environments: %+v", a)
	}
	if _, err := two.Answer("aks-2", creates("web", image("a"))); err == nil || !strings.Contains(verdict.AsError(err).Remedy, "cluster: aks-2") {
		t.Errorf("a cluster that nobody names: %v", err)
	}
}

// What was revoked a minute ago must not go in because nobody heard of it.
func TestWhoIsBehindSaysSoAndTheEnvironmentSaysWhatFollows(t *testing.T) {
	b := newBed(t, "block")
	b.log.decided("d-good", "prod", "a", verdict.Allow)
	b.log.decided("d-good2", "staging", "a", verdict.Allow)
	b.log.decided("d-over", "prod", "d", verdict.Allow, expires(noon.Add(-time.Hour)))
	if _, err := b.Answer("aks", creates("web", image("a"))); verdict.AsError(err).Code != verdict.CodeUnavailable || b.Ready() == nil {
		t.Errorf("before anything was read: %v", err)
	}
	b.caughtUp(t)
	b.log.breaks(errDown)
	b.now = noon.Add(MaxLag)
	if a := b.asks(t, creates("web", image("a"))); !a.Allowed || b.Ready() != nil || b.CatchUp(t.Context()) == nil {
		t.Errorf("five seconds behind: %+v", a)
	}
	b.now = noon.Add(MaxLag + 2*time.Second)
	a := b.asks(t, creates("web", image("a")))
	if a.Allowed || a.Exit() != 1 || a.Findings[0].Answer != Behind || !strings.Contains(a.Message, "prod fails closed") || a.annotations()["lag"] != "7s" || b.Ready() == nil {
		t.Errorf("behind, and closed: %+v", a)
	}
	if a := b.asks(t, creates("web-staging", image("a"))); !a.Allowed || len(a.Warnings) != 1 || a.annotations()["answer"] != Behind {
		t.Errorf("behind, and open: %+v", a)
	}
	pod := &Request{Operation: "CREATE", Kind: GroupKind{"", "v1", "Pod"}, Namespace: "web", UserInfo: UserInfo{Username: controllers}, Object: json.RawMessage(`{"metadata":{"ownerReferences":[{"kind":"ReplicaSet","name":"r","controller":true}]},` + podOf(image("d"))[1:])}
	if a := b.asks(t, pod); !a.Allowed {
		t.Errorf("what was let in before is not scheduled again: %+v", a)
	}
	b.log.breaks(nil)
	if a := b.caughtUp(t).asks(t, creates("web", image("a"))); !a.Allowed {
		t.Errorf("when it answers again: %+v", a)
	}
}

// A clock that was set back by a day makes every promotion of yesterday hold again.
func TestAClockThatIsBehindTheLogLetsNothingIn(t *testing.T) {
	b := newBed(t, "block")
	b.log.decided("d-over", "prod", "a", verdict.Allow, expires(noon.Add(-time.Hour)))
	b.log.at = noon
	b.caughtUp(t)
	b.now = noon.Add(-24 * time.Hour)
	if err := b.CatchUp(t.Context()); verdict.AsError(err).Code != verdict.CodeUnavailable {
		t.Errorf("%v", err)
	}
	fresh := newBed(t, "block")
	fresh.log, fresh.o.Log, fresh.now = b.log, b.log, b.now
	if fresh.CatchUp(t.Context()) == nil || fresh.Ready() == nil {
		t.Error("a process that begins with such a clock is ready")
	}
	if a := fresh.asks(t, creates("web", image("a"))); a.Allowed {
		t.Errorf("%+v", a)
	}
	b.now = noon.Add(-maxSkew)
	b.caughtUp(t)
}

// Who asks is a person or a machine, and a person's name is in no record.
func TestWhoAsksIsNamedOrStaysUnknown(t *testing.T) {
	b := newBed(t, "block").caughtUp(t)
	for user, wants := range map[string]string{
		"jane@acme.example": "person jane true", "mallory@acme.example": "person unknown-kubernetes- false",
		"system:serviceaccount:ci:deployer": "workload system:serviceaccount:ci:deployer false",
	} {
		r := creates("web", image("9"))
		r.UserInfo.Username = user
		a := b.asks(t, r)
		got := fmt.Sprint(a.Requester.Kind, " ", a.Requester.Person, " ", a.Requester.Known)
		if got != wants && !(strings.HasSuffix(wants, " false") && strings.HasPrefix(got, strings.TrimSuffix(wants, " false"))) || strings.Contains(got, "mallory") {
			t.Errorf("%s: %s", user, got)
		}
		if strings.Contains(a.Message, "verdict break-glass open") != (user == "jane@acme.example") {
			t.Errorf("%s: %s", user, a.Message)
		}
	}
}

// A message of a thousand lines helps nobody.
func TestManyImagesAreToldInFewLines(t *testing.T) {
	b := newBed(t, "block").caughtUp(t)
	a := b.asks(t, creates("web", slices.Repeat([]string{"nginx:1"}, 40)...))
	if strings.Count(a.Message, "\n") > maxTold+2 || !strings.Contains(a.Message, "and 30 more") || len(a.Findings) != 40 {
		t.Error(a.Message)
	}
	r := creates("web", slices.Repeat([]string{"nginx:1"}, maxImages+1)...)
	if _, err := b.Answer("aks", r); verdict.AsError(err).Code != verdict.CodeLimit {
		t.Errorf("%v", err)
	}
}
