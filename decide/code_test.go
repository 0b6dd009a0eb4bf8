package decide_test

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/evidence"
)

// codeMap lets the machine's key state reviews, as a pipeline's key would.
const codeMap = `schema: verdict/v1
services: {payments: {team: payments, owner: lead@acme.example}}
points:
  - {id: code.ownership, mode: block}
  - {id: code.review, mode: block}
trust:
  - {name: pipeline, key: local, kinds: [change, ownership, change-review], services: ["*"]}
`

var (
	ana = verdict.Party{ID: "ana", Known: true}
	ben = verdict.Party{ID: "ben", Known: true}
	ok  = verdict.Knowledge{State: verdict.StateVerified}
)

// stated is what the code layer says of a change that nothing is wrong with.
type stated struct {
	change    verdict.Change
	ownership verdict.Ownership
	review    *verdict.ChangeReview
}

func sound() stated {
	return stated{
		change: verdict.Change{
			Knowledge: ok, Author: ana, Committer: ana, Added: 3, Removed: 1, Files: []verdict.ChangedFile{{Path: "a.go", Status: "M"}}, Infrastructure: []string{},
			Commits: []verdict.Commit{{ID: commit.Digest, Authors: []verdict.Party{ana}, Committer: ana, Signature: verdict.CommitSignature{Knowledge: verdict.Knowledge{State: verdict.StateMissing, Why: "not signed", Remedy: "sign"}}}},
		},
		ownership: verdict.Ownership{Knowledge: ok, Sources: []verdict.OwnershipSource{}, Groups: []verdict.OwnedPaths{
			{Paths: []string{"a.go"}, Claims: []verdict.Claim{{File: "CODEOWNERS", Line: 1, Pattern: "*", Owners: []string{"payments"}}}, Persons: []string{"ana"}, Brought: []verdict.Claim{}},
		}},
		review: &verdict.ChangeReview{
			Knowledge: ok, Request: "acme/shop#7", Author: ana, Head: commit.Digest, Required: 1, Objecting: []verdict.Party{}, Protection: []string{}, Unread: []string{},
			Approvals: []verdict.ChangeApproval{{By: ben, Standing: verdict.ApprovalStands}},
		},
	}
}

func (h *house) stateCode(signer string, s stated) {
	h.t.Helper()
	r := clean("change")
	r.Change, r.Complete = &s.change, s.change.State == verdict.StateVerified
	h.report(signer, r)
	state := func(k verdict.Kind, predicate any) {
		x, err := evidence.New(k, []verdict.Subject{commit}, predicate, verdict.Context{At: h.now}, rand.Reader)
		must(h.t, err)
		h.append(signer, x)
	}
	state(verdict.KindOwnership, s.ownership)
	if s.review != nil {
		state(verdict.KindChangeReview, *s.review)
	}
}

func rulesOf(d verdict.Decision) string {
	var out []string
	for _, r := range d.Reasons {
		out = append(out, r.Rule)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestCodePointsDecideFromWhatWasStated(t *testing.T) {
	for _, c := range []struct {
		name              string
		tell              func(*stated)
		ownership, review string // the rules that fail
	}{
		{"a change that is owned and reviewed is allowed", func(*stated) {}, "", ""},
		{"a path that nobody owns", func(s *stated) { s.ownership.Groups[0].Claims = nil }, "code.ownership.paths", ""},
		{"owners that differ", func(s *stated) { s.ownership.Groups[0].Conflict = true }, "code.ownership.agreed", ""},
		{"a protected path that is owned among everything, by somebody who asked for it", func(s *stated) { s.ownership.Groups[0].Protected = true }, "code.ownership.protected", ""},
		{"a protected path that its owner did not see", func(s *stated) {
			s.ownership.Groups[0].Protected, s.ownership.Groups[0].Own, s.ownership.Groups[0].Persons = true, true, []string{"zoe"}
		}, "", "code.review.protected"},
		{"nobody approved", func(s *stated) { s.review.Approvals = nil }, "", "code.review.approved"},
		{"an approval by the author", func(s *stated) { s.review.Approvals[0].By = ana }, "", "code.review.approved"},
		{"a stale approval", func(s *stated) { s.review.Approvals[0].Standing = verdict.ApprovalStale }, "", "code.review.approved"},
		{"an author whom nobody knows", func(s *stated) { s.change.Commits[0].Authors[0].Known = false }, "", "code.review.approved"},
		{"a merge past the protection", func(s *stated) { s.review.Merged, s.review.MergedBy, s.review.Bypassed = true, ben, true }, "", "code.review.merge"},
		{"no forge was asked", func(s *stated) { s.review = nil }, "", "evidence.missing"},
		{"a forge that did not tell the reviews", func(s *stated) {
			s.review.Knowledge = verdict.Knowledge{State: verdict.StateMissing, Why: "403", Remedy: "give the right"}
		}, "", "evidence.missing"},
		{"a change that the clone does not hold", func(s *stated) {
			s.change.Knowledge = verdict.Knowledge{State: verdict.StateMissing, Why: "shallow", Remedy: "git fetch --unshallow"}
		}, "evidence.missing", "evidence.missing"},
		{"a state that is no word", func(s *stated) { s.ownership.State = "fine" }, "evidence.missing", "evidence.missing"},
		{"a state that is not said", func(s *stated) { s.review.State = "" }, "", "evidence.missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, codeMap)
			s := sound()
			c.tell(&s)
			h.stateCode("local", s)
			for point, want := range map[string]string{"code.ownership": c.ownership, "code.review": c.review} {
				d := h.decide(point)
				if got := rulesOf(d); got != want || (d.Enforced == verdict.Allow) != (want == "") {
					t.Errorf("%s: %s because of %q, want %q; errors %+v", point, d.Enforced, got, want, d.Errors)
				}
			}
		})
	}
}

func TestSignedCommitsCountWhereTheMapAsksForThem(t *testing.T) {
	asks := strings.Replace(codeMap, "team: payments,", "team: payments, signed_commits: true,", 1)
	for _, c := range []struct {
		name, chart string
		by          verdict.Party
		want        string
	}{
		{"signed by the committer", asks, ana, ""},
		{"signed by somebody else", asks, ben, "code.review.signed"},
		{"signed by a key of nobody", asks, verdict.Party{}, "code.review.signed"},
		{"signed by somebody else where nobody asks", codeMap, ben, ""},
	} {
		h := newHouse(t, c.chart)
		s := sound()
		s.change.Commits[0].Signature = verdict.CommitSignature{Knowledge: ok, Format: "ssh", By: c.by}
		h.stateCode("local", s)
		d, _, err := h.engine.Decide(h.ctx, decide.Request{Point: "code.review", Subject: commit, Service: "payments", Trigger: "test", Actor: "key:test"})
		must(t, err)
		if got := rulesOf(d); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A second look at the forge replaces the first: an approval may come after it, and be
// taken back.
func TestTheLatestReviewCounts(t *testing.T) {
	h := newHouse(t, codeMap)
	s := sound()
	s.review.Approvals = nil
	h.stateCode("local", s)
	if d := h.decide("code.review"); d.Enforced != verdict.Deny {
		t.Errorf("without an approval: %s", d.Enforced)
	}
	h.now = h.now.Add(time.Minute)
	given := sound()
	given.review.Asked = h.now
	h.stateCode("local", given)
	if d := h.decide("code.review"); d.Enforced != verdict.Allow {
		t.Errorf("with an approval: %s, %s", d.Enforced, rulesOf(d))
	}
	h.now = h.now.Add(time.Minute)
	s.review.Asked = h.now
	h.stateCode("local", s)
	if d := h.decide("code.review"); d.Enforced != verdict.Deny {
		t.Errorf("with the approval taken back: %s", d.Enforced)
	}
}

// Who an account belongs to is the map's word. What another map joined does not count.
func TestAStatementThatAnotherMapJoinedDoesNotCount(t *testing.T) {
	h := newHouse(t, codeMap)
	s := sound()
	s.ownership.Map = h.engine.Map.Digest()
	s.review.Map = verdict.NewDigest("sha256", strings.Repeat("0", 64))
	h.stateCode("local", s)
	if d := h.decide("code.ownership"); d.Enforced != verdict.Allow {
		t.Errorf("joined by this map: %s", rulesOf(d))
	}
	if d := h.decide("code.review"); rulesOf(d) != "evidence.missing" {
		t.Errorf("joined by another map: %q", rulesOf(d))
	}
}

// Under the built-in map a machine's own key speaks for no other person.
func TestAReviewThatAMachineStatesIsNotTrustedByItself(t *testing.T) {
	h := newHouse(t, "")
	h.stateCode("local", sound())
	d := h.decide("code.review")
	if d.Outcome != verdict.Deny || rulesOf(d) != "evidence.missing" || !strings.Contains(d.Reasons[0].Message, "does not trust") {
		t.Errorf("%s: %+v", d.Outcome, d.Reasons)
	}
	if d.Enforced != verdict.Allow {
		t.Error("the built-in map enforces a code point")
	}
}
