package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"verdict"
	"verdict/ci"
	"verdict/code"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/evidence/sigstore"
	"verdict/git"
	"verdict/report"
)

// maxKeysFile bounds a file of keys that signatures of commits are verified with.
const maxKeysFile = 16 << 20

// codeLayer states what is known of the change and decides the code points, before those
// of ci. They are about the commit and read nothing but its objects, so a tree that differs
// from it, which a change can bring about, asks them all the same. Where there is no commit
// to ask about they are told as not asked, with the reason.
func (c *ciCheck) codeLayer(ctx context.Context, w *workspace, repo *git.Repo, judged judgedBy, own map[string]string, checked *ci.Result, r decide.Request) (report.Run, error) {
	if checked.Commit.Kind == "" {
		return report.Run{Notes: notAsked(judged.Map, checked)}, nil
	}
	r.Subject = checked.Commit
	address, err := repo.Remote(ctx)
	if err != nil {
		return report.Run{}, err
	}
	q, err := c.question(ctx, w, repo, judged, r.Subject, address)
	if err != nil {
		return report.Run{}, err
	}
	told, err := c.requestOf(ctx, w.app, address, q.Head)
	if err != nil {
		return report.Run{}, err
	}
	if r := told.request; r != nil && r.Merge == q.Head && r.Head != q.Head {
		q.Made, q.Reviewed = true, r.Head
	}
	w.app.progress.phase("reading the change")
	change, err := code.Change(ctx, q)
	if err != nil {
		return report.Run{}, err
	}
	ownership, err := code.OwnersOf(ctx, q, change)
	if err != nil {
		return report.Run{}, err
	}
	facts := codeFacts{change: change, ownership: ownership}
	if facts.review, err = reviewOf(ctx, q, told); err != nil {
		return report.Run{}, err
	}
	if err := w.recordCode(ctx, facts, r.Subject, r); err != nil {
		return report.Run{}, err
	}
	run, err := w.decideAll(ctx, verdict.LayerCode, judged, own, r)
	run.Notes = nil
	if told.why != "" {
		run.Notes = append(run.Notes, "review: "+told.why)
	}
	run.Notes = append(run.Notes, strangers(run, q.People.Strangers())...)
	if ids := idsOf(judged.Map); checked.Uncommitted() && ids != "" {
		run.Notes = append(run.Notes, ids+" asked about the commit "+short(checked.Head.ID.Hex())+", without what the tree has beside it")
	}
	return run, err
}

// strangers says on the screen which account a finding means: evidence names nobody whom
// the map does not know.
func strangers(run report.Run, known map[string]string) []string {
	var out []string
	for _, word := range slices.Sorted(maps.Keys(known)) {
		named := slices.ContainsFunc(run.Decisions, func(d verdict.Decision) bool {
			return slices.ContainsFunc(d.Reasons, func(r verdict.Reason) bool {
				return slices.ContainsFunc(r.Items, func(i verdict.Item) bool { return strings.Contains(i.Message, word) })
			})
		})
		if named && len(out) < 5 {
			out = append(out, fmt.Sprintf("%s is %s, whom the map does not know", word, known[word]))
		}
	}
	return out
}

// reviewOf is what a forge told of the review. One that was asked and did not tell leaves
// that on record: what it told before may hold no longer. Nil when none was asked.
func reviewOf(ctx context.Context, q code.Question, told answer) (*verdict.ChangeReview, error) {
	if !told.asked {
		return nil, nil
	}
	if told.request == nil {
		r := code.Untold(q, told.why, told.remedy)
		return &r, nil
	}
	r, err := code.Review(ctx, q, *told.request)
	return &r, err
}

// notAsked says that the code points were left out, and why.
func notAsked(m *decisionmap.Map, checked *ci.Result) []string {
	ids := idsOf(m)
	if ids == "" {
		return nil
	}
	why := "they are about all of a commit, and a part of it was asked for"
	if checked.Head == nil {
		why = "they are about a commit, and there is none"
	}
	return []string{ids + " not asked: " + why}
}

// idsOf are the code points of a map, for people.
func idsOf(m *decisionmap.Map) string {
	var ids []string
	for _, p := range m.Points {
		if p.Layer == verdict.LayerCode {
			ids = append(ids, p.ID)
		}
	}
	return strings.Join(ids, " and ")
}

// question puts together what the code layer is asked.
func (c *ciCheck) question(ctx context.Context, w *workspace, repo *git.Repo, judged judgedBy, subject verdict.Subject, address string) (code.Question, error) {
	place, _ := placeOf(w.app.env, address)
	q := code.Question{
		Repo: repo, Base: judged.Base, Head: subject.Digest.Hex(), Against: c.base, Map: judged.Map, Forge: place.Forge, Now: w.now(),
	}
	var err error
	if q.People, err = code.NewPeople(judged.Map, place.Forge); err != nil {
		return q, err
	}
	return q, c.keys(ctx, repo, &q)
}

// keys reads whose signatures of commits count.
func (c *ciCheck) keys(ctx context.Context, repo *git.Repo, q *code.Question) error {
	if c.signers != "" {
		content, err := keysFile(ctx, repo, q.Base, c.signers, "the allowed signers", "give a file as ssh-keygen(1) describes under ALLOWED SIGNERS")
		if err != nil {
			return err
		}
		if q.Keys, err = code.ParseKeys(c.signers, content); err != nil {
			return err
		}
	}
	if c.keyring != "" {
		content, err := keysFile(ctx, repo, q.Base, c.keyring, "the OpenPGP keys", "write the public keys with `gpg --export --armor ADDRESS… > keys.asc`, and give that file")
		if err != nil {
			return err
		}
		if q.Keyring, err = code.ParseKeyring(c.keyring, content); err != nil {
			return err
		}
	}
	return c.certificates(ctx, repo, q)
}

// certificates reads what certificates in signatures of commits are judged by.
func (c *ciCheck) certificates(ctx context.Context, repo *git.Repo, q *code.Question) error {
	if c.root == "" && len(c.issuers) == 0 {
		return nil
	}
	if c.root == "" || len(c.issuers) == 0 {
		return usage("verdict ci --help", "a certificate is judged by its authority and by who vouches for the identity in it, and one of the two is not given",
			"give both --trusted-root FILE and --certificate-oidc-issuer URL")
	}
	content, err := keysFile(ctx, repo, q.Base, c.root, "the trusted root", "give a trusted_root.json, as `cosign trusted-root create` writes it")
	if err != nil {
		return err
	}
	q.Certificates, err = sigstore.NewMessageVerifier(content)
	q.Issuers = c.issuers
	return err
}

// keysFile reads a file of keys. One of the repository counts as the base of the change has
// it: the working tree is the change's, which must not bring the keys that its own
// signatures are verified with.
func keysFile(ctx context.Context, repo *git.Repo, base, path, what, remedy string) ([]byte, error) {
	unreadable := func(what, remedy string, err error) error {
		return &verdict.Error{Code: verdict.CodeUsage, What: what, Remedy: remedy, Err: err}
	}
	where, err := filepath.EvalSymlinks(path)
	gone := errors.Is(err, fs.ErrNotExist)
	for _, file := range []string{path, where} {
		name, below := pathBelow(repo.Root, file)
		if !below || file == "" {
			continue
		}
		content, err := fileAt(ctx, repo.Top(), base, name)
		switch {
		case err == nil && content == nil && gone:
			err = unreadable("there is no file "+path+", neither here nor in the base of the change", remedy, nil)
		case err == nil && content == nil:
			err = unreadable(path+" lies in the tree that is judged, and the base of the change does not have it",
				"bring it to the branch that the change goes to first, in a change of its own, or give a file from outside the tree", nil)
		}
		return content, err
	}
	var content []byte
	if err == nil {
		content, err = readLimited(path, maxKeysFile)
	}
	if err != nil {
		return nil, unreadable(what+" cannot be read from "+path, remedy+", from outside the tree that is judged", err)
	}
	return content, nil
}

// codeFacts is what the code layer knows of one commit.
type codeFacts struct {
	change    verdict.Change
	ownership verdict.Ownership
	review    *verdict.ChangeReview // nil when no forge was asked
}

// recordCode signs what is known of the change as evidence about the commit.
func (w *workspace) recordCode(ctx context.Context, f codeFacts, subject verdict.Subject, r decide.Request) error {
	at := w.now()
	about := func(point string) verdict.Context {
		return verdict.Context{Service: r.Service, Team: r.Team, Point: point, Run: r.Run, Actor: r.Actor, At: at, Retention: "change"}
	}
	var statements []*evidence.Statement
	state := func(s *evidence.Statement, err error) error {
		statements = append(statements, s)
		return err
	}
	subjects := []verdict.Subject{subject}
	if err := state(evidence.NewCheck(changeReport(f.change), subjects, at, at, about("code.ownership"), w.app.rand)); err != nil {
		return fmt.Errorf("state the change: %w", err)
	}
	if err := state(evidence.New(verdict.KindOwnership, subjects, f.ownership, about("code.ownership"), w.app.rand)); err != nil {
		return fmt.Errorf("state the ownership: %w", err)
	}
	if f.review != nil {
		if err := state(evidence.New(verdict.KindChangeReview, subjects, *f.review, about("code.review"), w.app.rand)); err != nil {
			return fmt.Errorf("state the review: %w", err)
		}
		if levels := code.Levels(f.change, *f.review); len(levels) > 0 {
			if err := state(evidence.New(verdict.KindVSA, subjects, code.Summary(subject, at, levels), about("code.review"), w.app.rand)); err != nil {
				return fmt.Errorf("state the source level: %w", err)
			}
		}
	}
	bundles := make([]*evidence.Bundle, len(statements))
	for i, s := range statements {
		b, err := evidence.Sign(ctx, s, w.signer)
		if err != nil {
			return fmt.Errorf("sign what is known of the change: %w", err)
		}
		bundles[i] = b
	}
	if _, err := w.ledger.AppendAll(ctx, bundles); err != nil {
		return fmt.Errorf("record what is known of the change: %w", err)
	}
	return nil
}

// changeReport is the change as the report of a check: what could not be read of it is
// not checked, and then the report is not complete.
func changeReport(c verdict.Change) verdict.Report {
	r := verdict.Report{
		Check: "change", Tool: verdict.Tool{Name: "verdict", Version: version()}, Scope: verdict.Scope{Path: ".", Files: int64(len(c.Files)), Inputs: int64(len(c.Commits))},
		Complete: c.State == verdict.StateVerified, NotChecked: []verdict.NotChecked{}, Hits: []verdict.Hit{}, Change: &c,
	}
	if !r.Complete {
		r.NotChecked = append(r.NotChecked, verdict.NotChecked{Path: ".", Reason: c.Why, Blocks: true})
	}
	return r
}

// together is one report over both layers: the code points first, in the order in which
// a change passes them. The first decision's subject is the one of the report.
func together(first, second report.Run) report.Run {
	second.Decisions = append(first.Decisions, second.Decisions...)
	second.NotBuilt = append(first.NotBuilt, second.NotBuilt...)
	second.Notes = append(second.Notes, first.Notes...)
	return second
}
