package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/git"
	"verdict/identity"
	"verdict/ledger"
	"verdict/policy"
)

// signatory is somebody at work: the enrolled key that signs, and the map that says what they
// may.
type signatory struct {
	*decide.Persons
	w   *workspace
	key identity.EnrolledKey
	now time.Time
}

// asPerson opens the workspace to record what a person states. A machine's key is nobody's,
// whoever sits in front of it.
func (a *app) asPerson(ctx context.Context, command string) (*workspace, identity.EnrolledKey, error) {
	none := identity.EnrolledKey{}
	if a.hosted != nil {
		return a.asSignedIn(ctx)
	}
	if a.config.As == "" {
		return nil, none, &verdict.Error{
			Code: verdict.CodeForbidden, What: command + " is signed by a person, and without --as this machine's own key would sign, which is nobody's",
			Remedy: "name your key: --as KEY; verdict keys list shows those on this machine, verdict people enroll --help says how to get one; " +
				"or be signed in at a control plane, which signs for you: verdict login --server URL, then this command with --server URL",
		}
	}
	w, err := a.open(ctx)
	if err != nil {
		return nil, none, err
	}
	h, err := w.ledger.Keys(ctx)
	if err == nil {
		var size int64
		if size, err = w.size(ctx, ledger.Now); err == nil {
			if k, _ := h.ValidAt(w.signer.KeyID(), size); k.Person != decisionmap.LocalKey {
				return w, k, nil
			}
			err = &verdict.Error{
				Code: verdict.CodeForbidden, What: fmt.Sprintf("--as %s is this machine's own key, which is nobody's, and %s is signed by a person", a.config.As, command),
				Remedy: "name the key of a person: --as KEY; verdict keys list shows those on this machine",
			}
		}
	}
	w.end(&err)
	return nil, none, err
}

// asSignatory opens the workspace for what a person states within the limits of the map that
// holds here, and gives the rules of that map too. Its caller ends the workspace.
func (a *app) asSignatory(ctx context.Context, command string) (*signatory, *policy.Bundle, error) {
	w, key, err := a.asPerson(ctx, command)
	if err != nil {
		return nil, nil, err
	}
	var p *signatory
	m, rules, err := w.limitsHere(ctx)
	if err == nil {
		p, err = w.signatory(ctx, key, m)
	}
	if err != nil {
		w.end(&err)
		return nil, nil, err
	}
	return p, rules, nil
}

// signatory is the signer as a person of a map.
func (w *workspace) signatory(ctx context.Context, key identity.EnrolledKey, m *decisionmap.Map) (*signatory, error) {
	if _, known := m.People[key.Person]; !known {
		return nil, &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("the key of %q signs, who is not under people: of the map", key.Person),
			Remedy: "add " + key.Person + " under people: in the map, and put it in force; or sign with the key of a person of the map: verdict people list",
		}
	}
	at, err := w.ledger.Position(ctx)
	if err != nil {
		return nil, err
	}
	return &signatory{Persons: &decide.Persons{Ledger: w.ledger, Map: m, At: at}, w: w, key: key, now: w.now()}, nil
}

// said is a step of the person.
func (p *signatory) said(step verdict.Step, note string) verdict.Said {
	return verdict.Said{Step: step, By: p.key.Person, SignedIn: p.key.SignedIn, Teams: p.teams(), At: p.now, Note: note}
}

func (p *signatory) teams() []string { return append([]string{}, p.Map.People[p.key.Person].Teams...) }

// state signs a statement of the person about some subjects and records it.
func (p *signatory) state(ctx context.Context, kind verdict.Kind, predicate any, c verdict.Context, about ...verdict.Subject) (ledger.Entry, error) {
	c.At, c.Actor, c.Retention = p.now, p.w.actor(), "release"
	c.Team = p.Map.Services[c.Service].Team
	s, err := evidence.New(kind, about, predicate, c, p.w.app.rand)
	if err != nil {
		return ledger.Entry{}, err
	}
	b, err := evidence.Sign(ctx, s, p.w.signer)
	if err != nil {
		return ledger.Entry{}, err
	}
	return p.w.ledger.Append(ctx, b)
}

// forbids is the refusal of what would not count.
func forbids(what, why, remedy string) error {
	return &verdict.Error{Code: verdict.CodeForbidden, What: what + ": " + why, Remedy: remedy}
}

// limitsHere is the map that says what persons may where no decision does: the released one,
// else the repository's as it judges a change, with the rules that decide by it.
func (w *workspace) limitsHere(ctx context.Context) (*decisionmap.Map, *policy.Bundle, error) {
	repo, j, err := w.judgesHere(ctx)
	if err != nil {
		return nil, nil, err
	}
	own, err := w.rulesOf(ctx, repo, j)
	if err != nil {
		return nil, nil, err
	}
	if own == nil {
		b, err := policy.Builtin()
		return j.Map, b, err
	}
	b, err := policy.Compile(own, policy.CompileOptions{})
	return j.Map, b, err
}

// judgesHere is the map that holds where a person is, with the repository that may have one:
// there is none where a server answers.
func (w *workspace) judgesHere(ctx context.Context) (repo *git.Repo, j judgedBy, err error) {
	if w.app.hosted != nil {
		j, err = w.judgedWith(ctx, nil)
		return nil, j, err
	}
	if repo, err = repository(ctx, "."); err == nil {
		j, err = w.judgeBy(ctx, repo, goal{})
	}
	return repo, j, err
}

// until reads when something ends: a length of time from now, such as 24h or 30d, or a
// time. What ends at once or before is refused.
func until(text string, now time.Time, see string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		var d decisionmap.Duration
		if d, err = decisionmap.ParseDuration(text); err != nil {
			return at, usage(see, fmt.Sprintf("--expires %q is no length of time and no time", text), "write it like 4h or 30d, or 2026-12-24T18:00:00Z")
		}
		at = now.Add(time.Duration(d))
	}
	if !at.After(now) {
		return at, usage(see, fmt.Sprintf("--expires %s has passed", text), "give a time that lies ahead")
	}
	return at.UTC(), nil
}

// idLetters has no letters that are read as one another.
const idLetters = "0123456789abcdefghjkmnpqrstvwxyz"

// newID draws an id with a prefix that says what it is of.
func (a *app) newID(prefix string) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(a.rand, b[:]); err != nil {
		return "", fmt.Errorf("draw an id: %w", err)
	}
	for i := range b {
		b[i] = idLetters[b[i]&31]
	}
	return prefix + string(b[:]), nil
}

// oneID chooses the id that a beginning is of.
func oneID(prefix, what, list string, ids []string) (int, error) {
	found := -1
	for i, id := range ids {
		switch {
		case id == prefix:
			return i, nil
		case !strings.HasPrefix(id, prefix) || len(prefix) < 4:
		case found >= 0 && ids[found] != id:
			return -1, &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("%s and %s both begin with %s", ids[found], id, prefix), Remedy: "give more of the id: " + list}
		default:
			found = i
		}
	}
	if found < 0 {
		return -1, &verdict.Error{Code: verdict.CodeNotFound, What: fmt.Sprintf("there is no %s %.80q", what, prefix), Remedy: meant(prefix, ids, "", list+" lists them")}
	}
	return found, nil
}

// bounded refuses what is too long for a statement.
func bounded(see string, flags ...[2]string) error {
	for _, f := range flags {
		if len(f[1]) > maxText {
			return usage(see, fmt.Sprintf("--%s is longer than %d bytes", f[0], maxText), "say it shorter, and name a document for the rest")
		}
	}
	return nil
}

// maxText bounds what a person writes into a statement, in bytes.
const maxText = 4 << 10
