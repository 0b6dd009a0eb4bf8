package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/policy"
	"verdict/server/client"
	"verdict/store"
	"verdict/store/postgres"
	"verdict/store/sqlite"
)

// workspace is the local installation at work: ledger, keys and policy, wired together.
// One goroutine uses it.
type workspace struct {
	app    *app
	dir    string
	ledger book
	own    *ledger.Ledger  // what ledger is without a server; nil with one
	remote *client.Client  // to the server; nil without one
	served *client.Ledger  // what ledger is with a server
	store  *store.Store    // under own; nil with a server
	signer evidence.Signer // signs what this command records
	logKey ledger.LogKey   // signs checkpoints; nil with a server
	ring   identity.Ring[*evidence.KeyFile]
	policy *policy.Bundle // nil until rules makes it
	dry    bool           // nothing is recorded, not even which rules decide
	asks   bool           // a server is asked, and nothing is told to it
	judge  *decide.Engine // of the last map that was asked for; nil until engine makes it
	chosen *chosenPolicy  // what policyFor found; nil until it looked
	told   map[int64]bool // entries of which say spoke
	// requester is for whom a person says that he asks for a deployment; empty: for himself.
	requester string
}

// The names inside the data directory.
const (
	ledgerFile   = "ledger.db"
	blobFolder   = "blobs"
	keyFolder    = "keys"
	logKeyFile   = "log.key"
	advisoryFile = "advisories.idx"
	anchorFolder = "verdict/anchor" // below the state directory
)

// open opens the workspace to record something, and makes it on its first use. A key
// that does not count is refused before any work is done for it.
func (a *app) open(ctx context.Context) (*workspace, error) {
	w, err := a.openAs(ctx, false)
	if err != nil {
		return nil, err
	}
	if w.remote != nil { // the server says whose word it takes
		return w, nil
	}
	if err := w.mayRecord(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// openExisting opens a workspace to read it. One that was never used is an error: an
// empty answer would look like a clean one.
func (a *app) openExisting(ctx context.Context) (*workspace, error) {
	if err := a.mustExist(); err != nil {
		return nil, err
	}
	w, err := a.openAs(ctx, false)
	if err == nil {
		w.asks = w.remote != nil
	}
	return w, err
}

func (a *app) mustExist() error {
	if a.hosted != nil {
		return nil
	}
	folder, err := a.dataDir()
	if err != nil || a.config.Database != "" || a.config.Server != "" {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, ledgerFile)); errors.Is(err, fs.ErrNotExist) {
		return &verdict.Error{
			Code: verdict.CodeNotFound, What: "there is no ledger in " + folder,
			Remedy: "run `verdict ci` in a repository first, or name the directory of another ledger with --data DIR",
		}
	}
	return nil
}

// openAs opens the workspace. With inspect, a database that its anchor refuses can be
// read, verified and given a new epoch.
func (a *app) openAs(ctx context.Context, inspect bool) (w *workspace, err error) {
	if a.hosted != nil {
		return a.hosted.host.workspaceFor(ctx, a)
	}
	w, err = a.openWith(ctx, inspect, logKeyFile)
	a.opened = w
	return w, err
}

// openWith is openAs with the log key in another file: a new epoch has a key of its own.
func (a *app) openWith(ctx context.Context, inspect bool, logKey string) (*workspace, error) {
	if a.config.Server != "" {
		return a.openRemote(ctx)
	}
	folder, err := a.dataDir()
	if err != nil {
		return nil, err
	}
	w := a.workspaceIn(folder)
	_, missing := os.Stat(w.ring.Dir)
	if err := os.MkdirAll(w.ring.Dir, 0o700); err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the data directory " + folder + " cannot be made",
			Remedy: "make room for it, or name another with --data DIR", Err: err,
		}
	}
	if err := a.checkClock(folder, errors.Is(missing, fs.ErrNotExist)); err != nil {
		return nil, err
	}
	if w.signer, err = w.openSigner(ctx); err != nil {
		return nil, err
	}
	if w.own, err = w.openLedger(ctx, inspect, logKey); err != nil {
		return nil, err
	}
	w.ledger = ownBook(w.own)
	if inspect {
		return w, nil
	}
	if err := w.firstUse(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// workspaceIn is a workspace with its ring of keys, and nothing of it open.
func (a *app) workspaceIn(folder string) *workspace {
	return &workspace{app: a, dir: folder, ring: identity.Ring[*evidence.KeyFile]{
		Dir: filepath.Join(folder, keyFolder), Create: evidence.CreateKey, Open: evidence.OpenKey,
	}}
}

// signingKey is the key that --as names, else the machine's own, made on first use.
func (w *workspace) signingKey() (*evidence.KeyFile, error) {
	if as := w.app.config.As; as != "" {
		return w.ring.Select(as)
	}
	key, made, err := w.ring.Local()
	if made {
		w.app.log.Info("made a signing key for this machine", "path", key.Path())
	}
	return key, err
}

func (w *workspace) openLedger(ctx context.Context, inspect bool, logKeyName string) (*ledger.Ledger, error) {
	a := w.app
	state := a.env.stateDir()
	if state == "" {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: "there is no place for the ledger's anchor: neither HOME nor XDG_STATE_HOME is set",
			Remedy: "set XDG_STATE_HOME to a folder outside the data directory",
		}
	}
	blobs, err := a.openBlobs(ctx, w.dir)
	if err != nil {
		return nil, err
	}
	if w.logKey, err = w.openCheckpointKey(ctx, logKeyName); err != nil {
		return nil, err
	}
	db, err := w.openStore(ctx)
	if err != nil {
		return nil, err
	}
	w.store = db
	l, err := ledger.Open(ctx, ledger.Options{
		Store: db, Blobs: blobs, LogKey: w.logKey, Signer: w.signer, AnchorDir: filepath.Join(state, anchorFolder), Inspect: inspect,
		Now: a.now, Rand: a.rand, Logger: a.log,
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if since, found := l.Unanchored(); found {
		fmt.Fprintf(a.stderr, "verdict: no anchor was here for this log of %d entries; if there was one elsewhere (XDG_STATE_HOME), use it, else hold the log against a checkpoint that was kept elsewhere: verdict log verify says how\n", since)
	}
	return l, nil
}

// openStore opens PostgreSQL where the configuration refers to one, else the SQLite file
// in the data directory.
func (w *workspace) openStore(ctx context.Context) (*store.Store, error) {
	var engine store.Engine
	if ref := w.app.config.Database; ref != "" {
		url, err := ref.reveal(w.app.env)
		if err != nil {
			return nil, err
		}
		if engine, err = postgres.Open(ctx, url); err != nil {
			return nil, err
		}
	} else {
		var err error
		if engine, err = sqlite.Open(ctx, filepath.Join(w.dir, ledgerFile), sqlite.Options{}); err != nil {
			return nil, err
		}
	}
	db, err := store.New(ctx, engine)
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return db, nil
}

// openLogKey opens the key that signs checkpoints, and makes it where there is none.
func openLogKey(path string) (*evidence.LogKey, error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return evidence.OpenLogKey(path)
	}
	key, err := evidence.CreateLogKey(path)
	var e *verdict.Error
	if errors.As(err, &e) && e.Code == verdict.CodeConflict { // another process was faster
		return evidence.OpenLogKey(path)
	}
	return key, err
}

// firstUse enrols the machine's own key in a ledger that knows no key.
func (w *workspace) firstUse(ctx context.Context) error {
	keys, err := w.ledger.Standing(ctx, verdict.KindKey, "", ledger.Now)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		return nil
	}
	event, err := identity.NewEnrolment(decisionmap.LocalKey, evidence.PublicPEM(w.signer.Public()))
	if err != nil {
		return err
	}
	_, err = w.state(ctx, verdict.KindKey, keySubject(event.Key, decisionmap.LocalKey), event, verdict.Context{Retention: "log"})
	if err != nil {
		return fmt.Errorf("enroll this machine's key: %w", err)
	}
	return nil
}

func keySubject(id, name string) verdict.Subject {
	return verdict.Subject{Kind: verdict.SubjectIdentity, Name: name, Digest: sha256Digest([]byte("key:" + id))}
}

// sign makes a statement of ours. Time and actor are filled in.
func (w *workspace) sign(ctx context.Context, kind verdict.Kind, about verdict.Subject, predicate any, c verdict.Context) (*evidence.Bundle, error) {
	c.At, c.Actor = w.now(), w.actor()
	s, err := evidence.New(kind, []verdict.Subject{about}, predicate, c, w.app.rand)
	if err != nil {
		return nil, err
	}
	return evidence.Sign(ctx, s, w.signer)
}

// state signs a statement of ours and records it.
func (w *workspace) state(ctx context.Context, kind verdict.Kind, about verdict.Subject, predicate any, c verdict.Context) (ledger.Entry, error) {
	b, err := w.sign(ctx, kind, about, predicate, c)
	if err != nil {
		return ledger.Entry{}, err
	}
	return w.ledger.Append(ctx, b)
}

func (w *workspace) now() time.Time { return w.app.now().UTC().Truncate(time.Microsecond) }

// actor is the opaque id of who acts: of who asks a server, else the signing key's.
func (w *workspace) actor() string {
	if w.app.hosted != nil {
		return w.app.hosted.caller.Actor
	}
	return "key:" + w.signer.KeyID()
}

// rules is the policy bundle that decides: the built-in one, with the rules that were
// released, or that the map names beside itself. The first decision with a bundle records
// that it was proved.
func (w *workspace) rules(ctx context.Context, m *decisionmap.Map, own map[string]string) (*policy.Bundle, error) {
	if w.policy != nil {
		return w.policy, nil
	}
	released, err := w.releasedFiles(ctx, m)
	if err != nil {
		return nil, err
	}
	var b *policy.Bundle
	switch {
	case released != nil:
		own, b = released, w.chosen.bundle
	case own != nil:
		b, err = policy.Compile(own, policy.CompileOptions{})
	case m.Policies.Bundle == decisionmap.ReleasedBundle:
		_, err = ownRules(m.Policies, rulesPlace{})
	default:
		b, err = policy.Builtin()
	}
	if err != nil {
		return nil, err
	}
	if err := w.releasePolicy(ctx, m, b, own != nil); err != nil {
		return nil, err
	}
	w.policy = b
	return b, nil
}

// policyRelease is the predicate of policy-release: which rules may decide from here on.
type policyRelease struct {
	Bundle  verdict.Digest `json:"bundle"`
	Engine  string         `json:"engine"`
	Version string         `json:"version"` // of the program that carries it
	Rules   int            `json:"rules"`
}

// releasePolicy records a bundle before its first decision: maps that share a ledger may
// each have their own. Rules that do not come with the program are proved before: one
// that can lose a reason decides nothing.
func (w *workspace) releasePolicy(ctx context.Context, m *decisionmap.Map, b *policy.Bundle, own bool) error {
	released, err := w.policyReleased(ctx, m, b.Digest())
	if err != nil || released {
		return err
	}
	if own {
		if err := w.app.prove(ctx, b, besideMap, verdict.CodeUnavailable, "nothing is decided by them"); err != nil {
			return err
		}
	}
	if w.dry {
		return nil
	}
	subject := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "policy bundle", Digest: b.Digest()}
	release := policyRelease{Bundle: b.Digest(), Engine: b.Engine(), Version: version(), Rules: len(b.Rules())}
	if _, err := w.state(ctx, verdict.KindPolicyRelease, subject, release, verdict.Context{Retention: "release"}); err != nil {
		return fmt.Errorf("record the policy bundle: %w", err)
	}
	return nil
}

// policyReleased reports whether a bundle was released by a signer whose word that it was
// proved counts here: this one, the machine's own key, or one whose decisions the map
// trusts. Any other enrolled key would spare rules their proof.
func (w *workspace) policyReleased(ctx context.Context, m *decisionmap.Map, bundle verdict.Digest) (bool, error) {
	entries, err := w.ledger.Find(ctx, ledger.Query{Kind: verdict.KindPolicyRelease, Subject: bundle, At: ledger.Now})
	if err != nil || len(entries) == 0 {
		return false, err
	}
	keys, err := w.ledger.Keys(ctx)
	if err != nil {
		return false, err
	}
	name := namesOf(keys)
	return slices.ContainsFunc(entries, func(e ledger.Entry) bool {
		by := decisionmap.Signer{Key: e.Signer, KeyName: name(e.Signer, ledger.Position(e.Index))}
		return !e.Foreign && (e.Signer == w.signer.KeyID() || by.KeyName == decisionmap.LocalKey || m.TrustsDecisionsOf(by))
	}), nil
}

// engine decides by a map and the rules that it names beside itself: see ownRules. A
// point that reads what its layer may not see is refused whether or not anybody linted
// the map. The points of a command share an engine, and with it what was read.
func (w *workspace) engine(ctx context.Context, m *decisionmap.Map, own map[string]string) (*decide.Engine, error) {
	if w.judge != nil && w.judge.Map == m {
		return w.judge, nil
	}
	rules, err := w.rules(ctx, m, own)
	if err != nil {
		return nil, err
	}
	if err := decisionmap.Bind(m, rules); err != nil {
		return nil, err
	}
	keys, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	w.judge = &decide.Engine{
		Ledger: w.ledger, Map: m, Policy: rules, Signer: w.signer, KeyName: namesOf(keys), Now: w.app.now, Rand: w.app.rand,
	}
	return w.judge, nil
}

// findAll pages through what a query chooses, newest first: a list with its end cut off
// would look like one without that part.
func (w *workspace) findAll(ctx context.Context, q ledger.Query) ([]ledger.Entry, error) {
	var all []ledger.Entry
	for {
		page, err := w.ledger.Find(ctx, q)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all, q.Before = append(all, page...), page[len(page)-1].Index
		if q.Before == 0 { // as a bound it would mean everything once more
			return all, nil
		}
	}
}

// keyHistory folds the key events that stand in the ledger at a position.
func (w *workspace) keyHistory(ctx context.Context, at ledger.Position) (*identity.History, error) {
	entries, err := w.findAll(ctx, ledger.Query{Kind: verdict.KindKey, At: at})
	if err != nil {
		return nil, err
	}
	h := &identity.History{}
	for i := len(entries) - 1; i >= 0; i-- { // oldest first
		e := entries[i]
		if e.Foreign {
			continue
		}
		var event identity.KeyEvent
		if err := w.decode(ctx, e.Index, &event); err != nil {
			return nil, err
		}
		if err := h.Apply(e.Index, e.At, e.Signer, event); err != nil {
			return nil, fmt.Errorf("key event in entry %d: %w", e.Index, err)
		}
	}
	return h, nil
}

// namesOf gives the person that a key was enrolled for before a position.
func namesOf(keys *identity.History) func(keyID string, at ledger.Position) string {
	return func(keyID string, at ledger.Position) string {
		if k, ok := keys.Key(keyID); ok && ledger.Position(k.From) < at {
			return k.Person
		}
		return ""
	}
}

// decode reads the predicate of an entry.
func (w *workspace) decode(ctx context.Context, index int64, into any) error {
	b, err := w.ledger.Bundle(ctx, index)
	if err != nil {
		return err
	}
	s, err := b.Statement()
	if err != nil {
		return err
	}
	return s.Decode(into)
}

func (w *workspace) close() error {
	w.app.opened = nil
	if w.asks {
		w.tellReach()
	}
	return w.ledger.Close()
}

// end closes a workspace that something was recorded in, for defer. What its files say when
// they are closed fails a command that went well, and changes no other answer.
func (w *workspace) end(err *error) {
	closed := w.close()
	switch {
	case closed == nil:
	case *err == nil:
		*err = &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the ledger could not be closed as it should",
			Remedy: "check the disk and its space, then run verdict log verify; what was acknowledged is recorded", Err: closed,
		}
	default:
		fmt.Fprintf(w.app.stderr, "verdict: the ledger could not be closed as it should: %v\n", closed)
	}
}
