package main

import (
	"context"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/sbom"
)

// book is the ledger that a command works with: the one in the data directory or, with
// --server, the server's. Commands do not ask which of them it is. What changes the log itself
// (a new epoch, a sweep) is for workspace.own; who computes it again asks for its bytes.
type book struct {
	entries
	answers
	contents
	proofs
	appending
}

// entries are the rows of the log, as ledger.Ledger gives them.
type entries interface {
	Position(ctx context.Context) (ledger.Position, error)
	PositionAt(ctx context.Context, t time.Time) (ledger.Position, error)
	Entry(ctx context.Context, index int64) (ledger.Entry, error)
	Find(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)
	Standing(ctx context.Context, kind verdict.Kind, about string, at ledger.Position) ([]ledger.Entry, error)
	Range(ctx context.Context, from, to ledger.Position) ([]ledger.Entry, error)
	Arrived(ctx context.Context, origin string, from, to ledger.Position) ([]ledger.Entry, error)
}

// answers come from what the ledger computes of its entries.
type answers interface {
	Keys(ctx context.Context) (*identity.History, error)
	Decisions(ctx context.Context, q ledger.DecisionQuery) ([]ledger.DecisionRow, error)
	Decision(ctx context.Context, prefix string, at ledger.Position) (ledger.Entry, *verdict.Decision, error)
	DecisionStatement(ctx context.Context, prefix string, at ledger.Position) (ledger.Entry, *evidence.Statement, error)
	Running(ctx context.Context, q ledger.RunningQuery) ([]ledger.RunningRow, error)
	Listed(ctx context.Context, artifact verdict.Digest, at ledger.Position, counts func(kind verdict.Kind, producer, service, environment string) bool) (ledger.Listed, error)
	Where(ctx context.Context, q ledger.WhereQuery) (*ledger.Where, error)
}

// contents are the signed bytes, and what they name by digest.
type contents interface {
	Bundle(ctx context.Context, index int64) (*evidence.Bundle, error)
	Logged(ctx context.Context, index int64) (*evidence.Bundle, error)
	Leaf(ctx context.Context, index int64) ([]byte, error)
	Blob(ctx context.Context, d verdict.Digest) ([]byte, error)
	PutBlob(ctx context.Context, b []byte) (verdict.Digest, error)
	BillOf(ctx context.Context, s *evidence.Statement) (*sbom.Bill, error)
}

// proofs show to whoever believes nothing what is in the log.
type proofs interface {
	Checkpoint(ctx context.Context) (ledger.Checkpoint, error)
	Cosigned(ctx context.Context) (ledger.Cosigned, bool, error)
	Inclusion(ctx context.Context, index int64) (ledger.InclusionProof, error)
	InclusionAt(ctx context.Context, index int64, at ledger.Position) (ledger.InclusionProof, error)
	Consistency(ctx context.Context, from, to int64) (ledger.ConsistencyProof, error)
}

// appending adds to the log.
type appending interface {
	Append(ctx context.Context, b *evidence.Bundle) (ledger.Entry, error)
	AppendAll(ctx context.Context, bundles []*evidence.Bundle) ([]ledger.Entry, error)
	Ingest(ctx context.Context, foreign *evidence.Bundle, by evidence.Producer, signer evidence.Signer, c verdict.Context) (ledger.Entry, error)
	Close() error
}

func ownBook(l *ledger.Ledger) book { return book{l, l, l, l, l} }

// asTaken is the book by which a decision is taken again: which decisions there are is what the
// reader may see, and what they rest on is all that there was, as when they were taken. Without
// that a decision of his would look like another one to who sees a part.
func (w *workspace) asTaken() book {
	if w.own == nil {
		return w.ledger
	}
	b := ownBook(w.own)
	b.answers = w.ledger.answers
	return b
}

// whereDataIs refuses with a server what is done with the bytes of a log: what completes "… is
// done where the server keeps its data", command is what is typed there.
func (a *app) whereDataIs(what, command string) error {
	if a.config.Server == "" {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeUsage, What: what + " is done where the server keeps its data, and --server is set to " + a.config.Server,
		Remedy: "run it there, with the server's --data and --database and without --server: " + command,
	}
}
