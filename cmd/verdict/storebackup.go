package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"verdict"
	"verdict/blob"
	"verdict/report"
)

// The entries of a backup, a tar archive: the database first, then the blobs, and last the
// manifest, so that an archive that was cut off has none.
const (
	backupSchema   = "verdict.backup/v1"
	backupDatabase = ledgerFile
	backupBlobs    = blobFolder + "/sha256/" // then the hex digits of the digest
	backupManifest = "manifest.json"
)

// manifest says what a backup holds.
type manifest struct {
	Schema   string         `json:"schema"`
	At       time.Time      `json:"at"`
	Version  string         `json:"version"` // of the program that made it
	Origin   string         `json:"origin"`
	Entries  int64          `json:"entries"` // at least so many are in the database
	Database verdict.Digest `json:"database"`
	Blobs    int            `json:"blobs"`
	// Checkpoint was signed before the database was copied: the copy continues it.
	Checkpoint string `json:"checkpoint"`
	Pinned     bool   `json:"pinned,omitempty"` // a ledger for demos, on a pinned clock
}

func storeBackupCommand() command {
	return command{
		use: "backup", short: "Save the ledger and its blobs into one file while others write",
		long: "The file is a tar archive with the database as it was at one moment, every blob, and a manifest. It holds no key: the log key and the signing keys (keys/ in the data directory) belong into another safe, " +
			"for whoever has the ledger and its keys can write another history. The anchor is not in it either, since it is what tells an old database from the present one. " +
			"A ledger that its anchor refuses is not saved. On PostgreSQL use pg_dump: docs/operations.md says how.",
		example: "verdict store backup --to /backup/verdict-$(date +%F).tar",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			to := ""
			f.required(&to, "to", "FILE", "archive to write; it must not exist")
			return func(ctx context.Context, a *app, _ []string) (err error) {
				if err := a.whereDataIs("a backup", "verdict store backup --to "+shellWord(to)); err != nil {
					return err // what lies in the data directory here is another log's
				}
				w, err := a.openExisting(ctx)
				if err != nil {
					return err
				}
				defer w.end(&err)
				return w.backup(ctx, to)
			}
		},
	}
}

// backedUp is the document verdict.backed-up/v1.
type backedUp struct {
	Schema string   `json:"schema"`
	File   string   `json:"file"`
	Size   int64    `json:"size"` // bytes
	Apart  []string `json:"apart"`
	manifest
}

func (w *workspace) backup(ctx context.Context, to string) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return &verdict.Error{
			Code: verdict.CodeConflict, What: "there is a file " + to + " already, or it cannot be looked at",
			Remedy: "name a new file: a backup never takes the place of an older one", Err: err,
		}
	}
	m, size, err := w.writeBackup(ctx, to)
	if err != nil {
		var e *verdict.Error
		if errors.As(err, &e) || ctx.Err() != nil {
			return err
		}
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the backup " + to + " was not written",
			Remedy: "make a folder with room for the database twice and for the blobs, and name a file in it", Err: err,
		}
	}
	doc := backedUp{"verdict.backed-up/v1", to, size, []string{w.ring.Dir, filepath.Join(w.app.env.stateDir(), anchorFolder)}, m}
	return w.app.emit(doc, doc.text)
}

// writeBackup writes the archive aside, and gives it its name when it is whole.
func (w *workspace) writeBackup(ctx context.Context, to string) (m manifest, size int64, err error) {
	aside, err := os.MkdirTemp(filepath.Dir(to), ".verdict-backup-")
	if err != nil {
		return m, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(aside)) }()
	part := filepath.Join(aside, "backup.tar")
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return m, 0, err
	}
	m, err = w.fillBackup(ctx, tar.NewWriter(f), filepath.Join(aside, "copy.db"))
	if err == nil {
		err = f.Sync()
	}
	if info, look := f.Stat(); look == nil {
		size = info.Size()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return m, 0, err
	}
	// A link and not a rename: what came to be there meanwhile stays.
	return m, size, os.Link(part, to)
}

// fillBackup copies the database before it lists the blobs: a blob is there before the
// first row that names it, and a sweep takes none that a row names.
func (w *workspace) fillBackup(ctx context.Context, t *tar.Writer, aside string) (manifest, error) {
	c, err := w.ledger.Checkpoint(ctx)
	if err != nil {
		return manifest{}, err
	}
	m := manifest{
		Schema: backupSchema, At: w.now(), Version: version(), Origin: c.Origin, Entries: int64(c.Position), Checkpoint: c.Note, Pinned: w.app.pinned,
	}
	db, err := w.openStore(ctx)
	if err != nil {
		return m, err
	}
	w.app.progress.phase("copying the database")
	if err := errors.Join(db.Copy(ctx, aside), db.Close()); err != nil {
		return m, err
	}
	if m.Database, err = addFile(t, backupDatabase, aside, m.At); err != nil {
		return m, err
	}
	if m.Blobs, err = w.addBlobs(ctx, t, m.At); err != nil {
		return m, err
	}
	w.app.progress.stop()
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	if err := addBytes(t, backupManifest, append(text, '\n'), m.At); err != nil {
		return m, err
	}
	return m, t.Close()
}

// addBlobs adds every blob, checked against its digest.
func (w *workspace) addBlobs(ctx context.Context, t *tar.Writer, at time.Time) (n int, err error) {
	blobs, err := w.app.openBlobs(ctx, w.dir)
	if err != nil {
		return 0, err
	}
	step := w.app.progress.phase("copying blobs")
	err = blobs.List(ctx, func(i blob.Info) error {
		b, err := blobs.Get(ctx, i.Digest)
		if errors.Is(err, blob.ErrNotFound) { // swept since it was listed: no row names it
			return nil
		}
		if err != nil {
			return err
		}
		n++
		step.say("%d so far", n)
		return addBytes(t, backupBlobs+i.Digest.Hex(), b, at)
	})
	return n, err
}

func header(name string, size int64, at time.Time) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: at.Truncate(time.Second), Format: tar.FormatPAX}
}

func addBytes(t *tar.Writer, name string, b []byte, at time.Time) error {
	if err := t.WriteHeader(header(name, int64(len(b)), at)); err != nil {
		return err
	}
	_, err := t.Write(b)
	return err
}

// addFile adds a file and gives the digest of what was added.
func addFile(t *tar.Writer, name, path string, at time.Time) (verdict.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if err := t.WriteHeader(header(name, info.Size(), at)); err != nil {
		return "", err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(t, sum), f); err != nil {
		return "", err
	}
	return verdict.NewDigest("sha256", hex.EncodeToString(sum.Sum(nil))), nil
}

func (d backedUp) text(s report.Style) string {
	rows := [][]string{
		{"file", report.Neutral(d.File) + ", " + bytesText(d.Size)},
		{"log", fmt.Sprintf("%s, %s or more", d.Origin, plural(int(d.Entries), "entry", "entries"))},
		{"blobs", fmt.Sprint(d.Blobs)},
		{"NOT in it", report.Neutral(d.Apart[0]) + ": the log key and the signing keys; keep them in another safe"},
		{"NOT in it", report.Neutral(d.Apart[1]) + ": the anchor, which must never be set back with the database"},
	}
	return s.Strong("The ledger is saved.") + "\n" + report.Table(rows, s.Width, "  ") + "put it back:\n  verdict store restore " + shellWord(d.File) + " --data DIR\n"
}
