package code

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
)

func TestAChangeIsToldWithItsPeopleAndPaths(t *testing.T) {
	s := newRepo(t)
	base := s.commit(map[string]string{"a.go": "one\ntwo\n", "old.go": "same\nsame\nsame\n", "infra/main.tf": "x\n"})
	s.commit(map[string]string{"a.go": "one\nthree\nfour\n"}, "--author", "Alma <alma@acme.example>")
	s.git("mv", "old.go", "new.go")
	head := s.commit(map[string]string{"infra/main.tf": "y\n"}, "--author", "Noor <123+noorh@users.noreply.github.com>",
		"-m", "why\n\nCo-authored-by: Jonas <jonas@acme.example>\nCo-authored-by: Eve <eve@elsewhere.example>")
	c, err := Change(t.Context(), s.asked(base, head, people))
	must(t, err)
	var files []string
	for _, f := range c.Files {
		files = append(files, f.Status+" "+f.Path)
	}
	if got := strings.Join(files, ", "); got != "M a.go, M infra/main.tf, A new.go, D old.go" {
		t.Errorf("files %s", got)
	}
	if c.State != verdict.StateVerified || c.Added != 6 || c.Removed != 5 || !slices.Equal(c.Infrastructure, []string{"infra/main.tf"}) || c.Base.Hex() != base {
		t.Errorf("%+v", c)
	}
	if len(c.Commits) != 2 || c.Commits[0].ID.Hex() != head || c.Author != (verdict.Party{ID: "noor", Known: true}) {
		t.Fatalf("%+v", c.Commits)
	}
	authors := c.Commits[0].Authors
	if len(authors) != 3 || authors[1].ID != "jonas" || authors[2].Known || strings.Contains(authors[2].ID, "eve") {
		t.Errorf("authors %+v", authors)
	}
	if c.Commits[0].Committer.Known || c.Commits[0].Signature.State != verdict.StateMissing {
		t.Errorf("committer %+v, signature %+v", c.Commits[0].Committer, c.Commits[0].Signature)
	}
}

func TestAFirstCommitTouchesAllThatItHolds(t *testing.T) {
	s := newRepo(t)
	head := s.commit(map[string]string{"a.go": "x\n"})
	c, err := Change(t.Context(), s.asked("", head, people))
	must(t, err)
	if c.Base != "" || len(c.Files) != 1 || c.Added != 1 || c.State != verdict.StateVerified {
		t.Errorf("%+v", c)
	}
}

// Who merges by the forge's button becomes the author or committer of what it makes. An
// approver who presses it must not turn into an author of the change by that.
func TestWhoPressesTheForgesButtonWroteNothing(t *testing.T) {
	s := newRepo(t)
	base := s.commit(map[string]string{"a.go": "one"})
	s.git("checkout", "-q", "-b", "feature")
	s.git("config", "user.email", "alma@acme.example")
	s.commit(map[string]string{"b.go": "one"})
	s.git("checkout", "-q", "main")
	s.git("config", "user.email", "jonas@acme.example")
	s.git("merge", "-q", "--no-ff", "-m", "merge", "feature")
	merged := s.git("rev-parse", "HEAD")
	s.git("reset", "-q", "--hard", base)
	squashed := s.commit(map[string]string{"b.go": "one"}, "--author", "Alma <alma@acme.example>")
	s.git("reset", "-q", "--hard", merged)
	added := s.commit(map[string]string{"evil.go": "x"}, "--amend")
	for _, c := range []struct {
		name, head string
		made       bool
		want       string
	}{
		{"a merge of the forge", merged, true, "alma github"},
		{"a merge that a person made", merged, false, "alma jonas"},
		{"a squash of the forge", squashed, true, "alma github"},
		{"a merge that brings something of its own", added, true, "alma github jonas"},
	} {
		q := s.asked(base, c.head, people)
		q.Made, q.Forge = c.made, "github"
		change, err := Change(t.Context(), q)
		must(t, err)
		ids, known := Contributors(change, verdict.ChangeReview{Author: verdict.Party{ID: "alma", Known: true}})
		if got := strings.Join(ids, " "); got != c.want || !known {
			t.Errorf("%s: %q (known %t), want %q", c.name, got, known, c.want)
		}
	}
}

// A commit that a shallow clone left out might be anybody's.
func TestAShallowCloneThatLacksCommitsOfTheChangeSaysSo(t *testing.T) {
	s := newRepo(t)
	base := s.commit(map[string]string{"a.go": "x"})
	s.git("checkout", "-q", "-b", "feature")
	s.commit(map[string]string{"a.go": "y"}, "--author", "Eve <eve@elsewhere.example>")
	head := s.commit(map[string]string{"b.go": "z"})
	shallow := s.dir + "-shallow"
	s.git("clone", "-q", "--depth=1", "--no-single-branch", "file://"+s.dir, shallow)
	s.dir = shallow
	c, err := Change(t.Context(), s.asked(base, head, people))
	must(t, err)
	if c.State != verdict.StateMissing || !strings.Contains(c.Remedy, "git fetch --unshallow") {
		t.Errorf("%+v", c.Knowledge)
	}
}

func TestAPartialCloneKnowsThePathsAndNotTheLines(t *testing.T) {
	s := newRepo(t)
	base := s.commit(map[string]string{"a.go": "x"})
	head := s.commit(map[string]string{"a.go": "y"})
	s.git("config", "uploadpack.allowFilter", "true")
	partial := s.dir + "-partial"
	s.git("clone", "-q", "--filter=blob:none", "--no-checkout", "file://"+s.dir, partial)
	s.dir = partial
	c, err := Change(t.Context(), s.asked(base, head, people))
	must(t, err)
	if c.State != verdict.StateVerified || len(c.Files) != 1 || c.Added != -1 || c.Removed != -1 {
		t.Errorf("%+v", c)
	}
}

// keygen makes an SSH key without a passphrase; it skips where OpenSSH is not there.
func keygen(t *testing.T, kind string) (private, public string) {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not on PATH: apt-get install openssh-client")
	}
	private = filepath.Join(t.TempDir(), "key")
	out, err := exec.Command("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", private).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	b, err := os.ReadFile(private + ".pub")
	must(t, err)
	return private, strings.TrimSpace(string(b))
}

func TestSSHSignaturesHoldForAllowedSignersAlone(t *testing.T) {
	for _, kind := range []string{"ed25519", "rsa", "ecdsa"} {
		t.Run(kind, func(t *testing.T) {
			private, public := keygen(t, kind)
			s := newRepo(t)
			base := s.commit(nil)
			s.git("config", "gpg.format", "ssh")
			s.git("config", "user.signingkey", private)
			s.git("config", "user.email", "alma@acme.example")
			head := s.commit(map[string]string{"a.go": "x"}, "-S")
			for _, c := range []struct {
				name, signers string
				state         verdict.State
				by, why       string
			}{
				{"the key of the committer", "alma@acme.example " + public, verdict.StateVerified, "alma", ""},
				{"a key for git and nothing else", `alma@acme.example namespaces="git" ` + public, verdict.StateVerified, "alma", ""},
				{"a pattern that covers the committer", "*@acme.example " + public, verdict.StateVerified, "alma", ""},
				{"the key of somebody else is said to be theirs", "jonas@acme.example " + public, verdict.StateVerified, "jonas", ""},
				{"a key for files", `alma@acme.example namespaces="file" ` + public, verdict.StateUnknown, "", "not allowed to sign for git"},
				{"a key that has run out", `alma@acme.example valid-before="20260101" ` + public, verdict.StateUnknown, "", "not valid"},
				{"a key that does not count yet", `alma@acme.example valid-after="20300101" ` + public, verdict.StateUnknown, "", "not valid"},
				{"no keys", "", verdict.StateUnknown, "", "no allowed signers were given"},
			} {
				q := s.asked(base, head, people)
				q.Now = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
				var err error
				q.Keys, err = ParseKeys("signers", []byte(c.signers+"\n# words\n"))
				must(t, err)
				change, err := Change(t.Context(), q)
				must(t, err)
				sig := change.Commits[0].Signature
				if sig.Format != "ssh" || sig.State != c.state || sig.By.ID != c.by || !strings.Contains(sig.Why, c.why) {
					t.Errorf("%s: %+v", c.name, sig)
				}
			}
		})
	}
}

// A signature that was put on another commit says nothing of this one.
func TestASignatureOfAnotherCommitFails(t *testing.T) {
	private, public := keygen(t, "ed25519")
	s := newRepo(t)
	s.git("config", "gpg.format", "ssh")
	s.git("config", "user.signingkey", private)
	base := s.commit(nil, "-S")
	raw := s.git("cat-file", "commit", base)
	forged := filepath.Join(t.TempDir(), "commit")
	must(t, os.WriteFile(forged, []byte(strings.Replace(raw, "\n\nchange", "\n\nanother change", 1)+"\n"), 0o644))
	head := s.git("hash-object", "-w", "-t", "commit", forged)
	q := s.asked("", head, people)
	var err error
	q.Keys, err = ParseKeys("signers", []byte("ada@acme.example "+public))
	must(t, err)
	change, err := Change(t.Context(), q)
	must(t, err)
	if sig := change.Commits[0].Signature; sig.State != verdict.StateFailed || !strings.Contains(sig.Why, "does not hold") {
		t.Errorf("%+v", sig)
	}
}

func TestASignatureOfAnUnknownFormIsUnknown(t *testing.T) {
	s := newRepo(t)
	s.commit(nil)
	head := s.sealed("gpgsig", func([]byte) string { return "-----BEGIN SEAL-----\nAAAA\n-----END SEAL-----" })
	if sig := s.signatureOf(head, func(*Question) {}); sig.State != verdict.StateUnknown || sig.Format != "" || sig.Remedy == "" {
		t.Errorf("%+v", sig)
	}
}

func TestAnAllowedSignerThatCannotBeReadIsAnError(t *testing.T) {
	for _, line := range []string{"alma@acme.example", "alma@acme.example ssh-ed25519 AAAA", "alma@acme.example nonsense ssh-ed25519 AAAA", "alma@acme.example ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJ8Z"} {
		if _, err := ParseKeys("signers", []byte("# first\n"+line)); err == nil || !strings.Contains(err.Error(), "signers:2") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func FuzzSignature(f *testing.F) {
	f.Add("tree x\ngpgsig -----BEGIN SSH SIGNATURE-----\n U1NIU0lHAAAAAQ==\n -----END SSH SIGNATURE-----\n\nmessage", "a ssh-ed25519 AAAA")
	f.Fuzz(func(t *testing.T, commit, signers string) {
		signed, armored, _ := detach([]byte(commit))
		if armored == "" && strings.Contains(string(signed), "\ngpgsig ") && !strings.Contains(commit, "\n\n") {
			t.Error("a signature was left in what it signs")
		}
		_, _ = parseSSH(armored)
		_, _ = ParseKeys("signers", []byte(signers))
	})
}
