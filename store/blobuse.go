package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
)

// BlobUse says that the statement of an entry names a blob.
type BlobUse struct {
	Digest   string
	From, To int64
	Role     string
}

const (
	// Index: none, inserts. The values follow.
	insertUseStatement = `INSERT INTO blob_use (digest, from_seq, to_seq, role) VALUES `

	// Index: entry_blobs, whose own condition is repeated.
	unnamedStatement = `SELECT ` + entryColumns + `, signature, payload, leaf FROM entry WHERE blobs < 0 ORDER BY seq LIMIT $1`

	// Index: primary key of blob_use. What is there already is written over: who wrote
	// it did not say so in the entry.
	putUseStatement = `INSERT INTO blob_use (digest, from_seq, to_seq, role) VALUES ($1, $2, $3, $4) ON CONFLICT (digest, from_seq) DO UPDATE SET to_seq = excluded.to_seq, role = excluded.role`

	// Index: primary key of entry.
	namedStatement = `UPDATE entry SET blobs = $1 WHERE seq = $2 AND blobs < 0`

	// Index: primary key of blob_use. The values follow.
	usedStatement = `SELECT DISTINCT digest FROM blob_use WHERE to_seq = 9223372036854775807 AND digest IN (`

	// Index: primary key of blob_use, from its end; entry by its primary key.
	usersStatement = `SELECT DISTINCT kind, service, team, environment FROM (SELECT from_seq FROM blob_use WHERE digest = $1 AND to_seq = 9223372036854775807 ORDER BY from_seq DESC LIMIT $2) AS used JOIN entry ON seq = from_seq`

	// Index: entry_body, whose own condition is repeated. The values follow.
	usedBodyStatement = `SELECT digest FROM entry WHERE payload IS NULL AND leaf IS NULL AND digest IN (`

	// Index: foreign_bundle_body, whose own condition is repeated; entry by its primary
	// key. The values follow.
	usedForeignStatement = `SELECT foreign_digest FROM foreign_bundle JOIN entry ON seq = from_seq WHERE data IS NULL AND foreign_bundle.to_seq = 9223372036854775807 AND foreign_digest IN (`
)

// UsedBlobs calls each with those of the blobs that some entry rests on: its statement
// names them, or its body or foreign bundle lies there; and with those of shared files. A digest is "sha256:" and hex
// digits; one may be given to each more than once.
func (v *View) UsedBlobs(ctx context.Context, digests []string, each func(digest string) error) error {
	const algorithm = "sha256:"
	named := func(r Row) error {
		var d string
		if err := r.Scan(&d); err != nil {
			return err
		}
		return each(d)
	}
	body := func(r Row) error {
		var b []byte
		if err := r.Scan(&b); err != nil {
			return err
		}
		return each(algorithm + hex.EncodeToString(b))
	}
	statements := []Statement{sharedParts(digests, each)}
	for len(digests) > 0 {
		n := chunk(len(digests), 1)
		text, raw := make([]any, n), make([]any, n)
		for i, d := range digests[:n] {
			b, err := hex.DecodeString(strings.TrimPrefix(d, algorithm))
			if err != nil {
				return fmt.Errorf("digest %q: %w", d, err)
			}
			text[i], raw[i] = d, b
		}
		digests = digests[n:]
		statements = append(statements,
			Statement{SQL: statement(usedStatement, n, 1, ")"), Args: text, Each: named},
			Statement{SQL: statement(usedForeignStatement, n, 1, ")"), Args: text, Each: named},
			Statement{SQL: statement(usedBodyStatement, n, 1, ")"), Args: raw, Each: body})
	}
	return v.r.Run(ctx, statements...)
}

// BlobUser is what an entry is about whose statement names a blob.
type BlobUser struct{ Kind, Service, Team, Environment string }

// BlobUsers tells what the newest entries are about that name a blob, each once. It looks at so
// many of them as newest says, and at none of which it is not known yet what they name.
func (v *View) BlobUsers(ctx context.Context, digest string, newest int64) ([]BlobUser, error) {
	return list(ctx, v, usersStatement, []any{digest, newest}, func(r Row) (u BlobUser, err error) {
		err = r.Scan(&u.Kind, &u.Service, &u.Team, &u.Environment)
		return u, err
	})
}

// Named is which blobs the statement of an entry names, found out later.
type Named struct {
	Seq  int64
	Uses []BlobUse
}

// NameBlobs has plan say which blobs the oldest entries name of which that is not known,
// up to limit of them, with all their columns, and keeps it. It reports how many there
// were: with none, everything is known.
func (s *Store) NameBlobs(ctx context.Context, limit int64, plan func([]Entry) ([]Named, error)) (int, error) {
	found := 0
	err := s.engine.Write(ctx, func(r Reader) ([]Statement, error) {
		entries, err := list(ctx, &View{r}, unnamedStatement, []any{limit}, readBody)
		if found = len(entries); err != nil || found == 0 {
			return nil, err
		}
		named, err := plan(entries)
		var out []Statement
		for _, n := range named {
			for _, u := range n.Uses {
				out = append(out, Statement{SQL: putUseStatement, Args: []any{u.Digest, u.From, u.To, u.Role}})
			}
			out = append(out, Statement{SQL: namedStatement, Args: []any{int64(len(n.Uses)), n.Seq}})
		}
		return out, err
	})
	return found, err
}

func readUse(r Row) (u BlobUse, err error) {
	err = r.Scan(&u.Digest, &u.From, &u.To, &u.Role)
	return u, err
}
