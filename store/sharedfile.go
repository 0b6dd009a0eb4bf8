package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// SharedFile is a file that all replicas have alike and that is no evidence: it lies in blobs, which
// a sweep leaves alone as long as it is shared. Its row is one of the table of jobs that is never
// due, so that nobody works on it.
type SharedFile struct {
	Digest string   `json:"digest"` // of the whole: "sha256:" and hex digits
	Parts  []string `json:"parts"`  // digests of its blobs, in order
}

const (
	// Index: primary key of job. The compare and swap is the condition: of two that replace
	// the same, the second one changes nothing.
	shareStatement = `INSERT INTO job (id, kind, doc, due, owner, lease, attempts, fault) VALUES ($1, 'shared', $2, 9223372036854775807, '', 0, 0, '')
ON CONFLICT (id) DO UPDATE SET doc = excluded.doc WHERE job.doc = $3 RETURNING id`

	// Index: primary key of job.
	sharedStatement = `SELECT doc FROM job WHERE id = $1`

	// Index: job_due.
	allSharedStatement = `SELECT doc FROM job WHERE kind = 'shared'`
)

// sharedID is the id of the row of a shared file.
func sharedID(name string) string { return "shared/" + name }

// SharedFile gives the file that is shared under a name; the zero value: none is.
func (s *Store) SharedFile(ctx context.Context, name string) (x SharedFile, err error) {
	err = s.View(ctx, func(v *View) error {
		var doc string
		found, err := v.one(ctx, sharedStatement, []any{sharedID(name)}, &doc)
		if err != nil || !found {
			return err
		}
		return json.Unmarshal([]byte(doc), &x)
	})
	if err != nil {
		return SharedFile{}, fmt.Errorf("shared %s: %w", name, err)
	}
	return x, nil
}

// ShareFile puts a file in the place of the one that is shared under a name, and reports false when
// that is not, or not any more, the one that it replaces. Its blobs are there before. The zero
// value is none, in both places.
func (s *Store) ShareFile(ctx context.Context, name string, replaces, x SharedFile) (bool, error) {
	was, err := json.Marshal(replaces)
	if err != nil {
		return false, err
	}
	doc, err := json.Marshal(x)
	if err != nil {
		return false, err
	}
	return s.changed(ctx, shareStatement, sharedID(name), string(doc), string(was))
}

// sharedParts is the statement that gives those of the blobs in which a shared file lies.
func sharedParts(digests []string, each func(digest string) error) Statement {
	return Statement{SQL: allSharedStatement, Each: func(r Row) error {
		var doc string
		if err := r.Scan(&doc); err != nil {
			return err
		}
		var x SharedFile
		if err := json.Unmarshal([]byte(doc), &x); err != nil {
			return err
		}
		for _, p := range x.Parts {
			if slices.Contains(digests, p) {
				if err := each(p); err != nil {
					return err
				}
			}
		}
		return nil
	}}
}
