package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/server/client"
)

// maxCA bounds a file of certificates.
const maxCA = 1 << 20

// openRemote opens a workspace whose ledger is the server's. Keys, vulnerability data and
// what speeds up a search stay in the data directory of this machine.
func (a *app) openRemote(ctx context.Context) (*workspace, error) {
	if a.config.Offline {
		return nil, usage("", "--offline forbids the connection to "+a.config.Server, "leave --offline out, or leave --server and VERDICT_SERVER out to decide on the local ledger")
	}
	if a.config.Database != "" {
		return nil, usage("", "--database names a ledger, and --server another", "leave --database out: the server has one of its own")
	}
	folder, err := a.dataDir()
	if err != nil {
		return nil, err
	}
	w := a.workspaceIn(folder)
	if err := os.MkdirAll(w.ring.Dir, 0o700); err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the data directory " + folder + " cannot be made",
			Remedy: "make room for it, or name another with --data DIR", Err: err,
		}
	}
	if w.remote, err = a.client(); err != nil {
		return nil, err
	}
	if beside := a.servedFolder(); beside != "" {
		w.ring = a.workspaceIn(beside).ring
	}
	in := &signIn{app: a, server: w.remote}
	if w.signer, err = in.signer(ctx, w); err != nil {
		return nil, err
	}
	w.remote.Authorize(in.token)
	w.served = w.remote.Ledger()
	w.ledger = book{w.served, w.served, w.served, w.served, w.served}
	return w, nil
}

// tellReach says that the answer is of a part, where the roles of who asks end: "none" would
// read as none at all.
func (w *workspace) tellReach() {
	if w.remote.Part() {
		fmt.Fprintln(w.app.stderr, "verdict: your roles do not reach over the whole ledger, and what lies outside of them is not in this answer: verdict roles list --mine")
	}
}

// client makes the client of the server that --server names. It carries no token yet.
func (a *app) client() (*client.Client, error) {
	var ca []byte
	if a.config.ServerCA != "" {
		var err error
		if ca, err = readLimited(a.config.ServerCA, maxCA); err != nil {
			return nil, &verdict.Error{Code: verdict.CodeUsage, What: "the certificates in " + a.config.ServerCA + " cannot be read", Remedy: "make it a readable file with certificates in PEM, or leave --server-ca out", Err: err}
		}
	}
	return client.New(client.Options{
		Server: a.config.Server, CA: ca, Proxy: http.ProxyFromEnvironment, Rand: &oneAtATime{from: a.rand}, Agent: "verdict/" + version(), Logger: a.log,
	})
}

// oneAtATime lets several goroutines read from one source of chance.
type oneAtATime struct {
	mu   sync.Mutex // guards from
	from interface{ Read([]byte) (int, error) }
}

func (r *oneAtATime) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.from.Read(b)
}

// ingest records evidence of somebody else, which was verified here by what the flags say. A
// server verifies it again, and is told the key for that.
func (w *workspace) ingest(ctx context.Context, b *evidence.Bundle, by evidence.Producer, flags believed, c verdict.Context) (ledger.Entry, error) {
	if w.served == nil || by.Key == "" {
		return w.ledger.Ingest(ctx, b, by, w.signer, c)
	}
	keys, err := w.ledger.Keys(ctx)
	if err != nil {
		return ledger.Entry{}, err
	}
	if k, enrolled := keys.Key(by.Key); enrolled {
		return w.served.IngestByKey(ctx, b, k.PublicPEM, c)
	}
	pem, err := w.app.readInput(flags.key, "the public key", maxCA)
	if err != nil {
		return ledger.Entry{}, err
	}
	return w.served.IngestByKey(ctx, b, string(pem), c)
}

// publicLogKey is the public half of the key that signs checkpoints.
func (w *workspace) publicLogKey(ctx context.Context) (ed25519.PublicKey, error) {
	if w.served == nil {
		return w.logKey.Public(), nil
	}
	x, err := w.served.Log(ctx)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(x.VerifierKey)
	if err == nil {
		_, err = readNote(x.Checkpoint.Note, verifier)
	}
	// C2SP signed-note: name+hash+base64, of a byte for Ed25519 and the key.
	_, hashed, _ := strings.Cut(x.VerifierKey, "+")
	_, text, _ := strings.Cut(hashed, "+")
	raw, bad := base64.StdEncoding.DecodeString(text)
	if err == nil && (bad != nil || len(raw) != 1+ed25519.PublicKeySize) {
		err = errors.New("it is no Ed25519 key")
	}
	if err != nil {
		return nil, refused("the server names a key (%.200s) that its checkpoint is not signed with", err, "take nothing from it before verdict log verify, run where its data is, says what happened", x.VerifierKey)
	}
	return ed25519.PublicKey(raw[1:]), nil
}
