package main

import (
	"archive/tar"
	"bytes"
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
	"strings"

	"verdict"
	"verdict/blob"
	"verdict/report"
	"verdict/store"
	"verdict/store/sqlite"
)

// maxManifest bounds the manifest of a backup.
const maxManifest = 1 << 20

func storeRestoreCommand() command {
	return command{
		use: "restore FILE", short: "Put a backup back into a data directory that holds no ledger",
		long: "Puts the database and the blobs of verdict store backup into the data directory, each checked against its digest. The keys come from where they were kept: put them into keys/ of that directory before anything else is done. " +
			"The log is then behind its anchor when entries were added after the backup: every command refuses it and says so, until verdict log epoch --from-backup continues it under a new name and records what is missing.",
		example: "verdict store restore /backup/verdict-2026-11-20.tar --data /var/lib/verdict",
		formats: textOrJSON, args: exactly(1),
		setup: runs(func(ctx context.Context, a *app, args []string) error { return a.restore(ctx, args[0]) }),
	}
}

// restored is the document verdict.restored/v1.
type restored struct {
	Schema string `json:"schema"`
	Folder string `json:"folder"`
	Keys   string `json:"keys"`  // where the keys belong
	Keyed  bool   `json:"keyed"` // the log key is there
	manifest
}

func (a *app) restore(ctx context.Context, file string) error {
	if a.config.Database != "" {
		return usage("verdict store restore --help", "a backup of verdict store backup is put back as the embedded ledger, and --database names a PostgreSQL",
			"leave --database and VERDICT_DATABASE out; a PostgreSQL is put back with pg_restore")
	}
	folder, err := a.dataDir()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(folder, ledgerFile)); !errors.Is(err, fs.ErrNotExist) {
		return &verdict.Error{
			Code: verdict.CodeConflict, What: "there is a ledger in " + folder + " already, or it cannot be looked at",
			Remedy: "name another directory with --data DIR, or move that ledger away", Err: err,
		}
	}
	f, err := os.Open(file)
	if err != nil {
		return &verdict.Error{Code: verdict.CodeNotFound, What: "the backup " + file + " cannot be read", Remedy: "name a file that verdict store backup wrote and that this user may read", Err: err}
	}
	defer f.Close()
	m, err := a.putBack(ctx, f, folder)
	if err != nil {
		return err
	}
	keys := filepath.Join(folder, keyFolder)
	_, missing := os.Stat(filepath.Join(keys, logKeyFile))
	doc := restored{"verdict.restored/v1", folder, keys, missing == nil, m}
	return a.emit(doc, doc.text)
}

// putBack unpacks an archive. The database gets its name last, when the manifest has said
// that everything before it is whole: what is left of a restore that failed is no ledger.
func (a *app) putBack(ctx context.Context, f io.Reader, folder string) (m manifest, err error) {
	unusable := func(err error) error {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "the backup could not be put into " + folder, Remedy: "make room there, or name another directory with --data DIR", Err: err}
	}
	blobs, err := a.openBlobs(ctx, folder)
	if err != nil {
		return m, err
	}
	part, err := os.CreateTemp(folder, ".restore-*")
	if err != nil {
		return m, unusable(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}()
	step := a.progress.phase("putting the backup back")
	n := 0
	m, err = readBackup(f, part, func(d verdict.Digest, b []byte) error {
		n++
		step.say("%d blobs", n)
		_, err := blobs.Put(ctx, b)
		return err
	})
	a.progress.stop()
	if err == nil {
		err = part.Sync()
	}
	err = errors.Join(err, part.Close())
	if err == nil {
		err = m.isOf(ctx, part.Name())
	}
	if err == nil && m.Pinned {
		err = markPinned(folder)
	}
	if err == nil {
		err = os.Rename(part.Name(), filepath.Join(folder, ledgerFile))
	}
	var e *verdict.Error
	if err != nil && !errors.As(err, &e) {
		err = unusable(err)
	}
	return m, err
}

// readBackup reads an archive: the database goes to db, each blob to keep after its digest
// was checked. Anything else than what verdict store backup writes is refused.
func readBackup(r io.Reader, db io.Writer, keep func(verdict.Digest, []byte) error) (m manifest, err error) {
	t := tar.NewReader(r)
	var database verdict.Digest
	for n := 0; ; {
		h, err := t.Next()
		switch {
		case err != nil:
			return m, notBackup("it ends without a manifest, or is no tar archive", err)
		case h.Typeflag != tar.TypeReg:
			return m, notBackup(fmt.Sprintf("it holds %q, which is no file", h.Name), nil)
		case h.Name == backupDatabase && database == "":
			sum := sha256.New()
			if _, err := io.Copy(io.MultiWriter(db, sum), t); err != nil {
				return m, fmt.Errorf("unpack the database: %w", err)
			}
			database = verdict.NewDigest("sha256", hex.EncodeToString(sum.Sum(nil)))
		case strings.HasPrefix(h.Name, backupBlobs) && database != "":
			d, b, err := readBlob(t, h)
			if err != nil {
				return m, err
			}
			if err := keep(d, b); err != nil {
				return m, err
			}
			n++
		case h.Name == backupManifest:
			return readManifest(t, database, n)
		default:
			return m, notBackup(fmt.Sprintf("it holds %q, which no backup has there", h.Name), nil)
		}
	}
}

func readBlob(t *tar.Reader, h *tar.Header) (verdict.Digest, []byte, error) {
	want := strings.TrimPrefix(h.Name, backupBlobs)
	if h.Size > blob.DefaultMaxSize {
		return "", nil, notBackup(fmt.Sprintf("a blob in it has %d bytes", h.Size), nil)
	}
	b, err := io.ReadAll(io.LimitReader(t, blob.DefaultMaxSize))
	if err != nil {
		return "", nil, notBackup("it ends in the middle of a blob", err)
	}
	d := blob.DigestOf(b)
	if d.Hex() != want {
		return "", nil, notBackup(fmt.Sprintf("the bytes of the blob %q are not those of its digest", want), nil)
	}
	return d, b, nil
}

// readManifest holds what was unpacked against what the archive was written with.
func readManifest(t io.Reader, database verdict.Digest, blobs int) (m manifest, err error) {
	text, err := io.ReadAll(io.LimitReader(t, maxManifest))
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		err = dec.Decode(&m)
	}
	switch {
	case err != nil:
		return m, notBackup("its manifest cannot be read", err)
	case m.Schema != backupSchema:
		return m, notBackup(fmt.Sprintf("its manifest is %q, and this version reads %s", m.Schema, backupSchema), nil)
	case database == "" || m.Database != database:
		return m, notBackup("the database in it is not the one that was saved", nil)
	case m.Blobs != blobs:
		return m, notBackup(fmt.Sprintf("it was written with %d blobs, and %d are in it", m.Blobs, blobs), nil)
	}
	return m, nil
}

// isOf refuses a database that is of another log than the manifest says, or holds less of it:
// digests tell that the two are whole, and not that they belong together.
func (m manifest) isOf(ctx context.Context, database string) (err error) {
	engine, err := sqlite.Open(ctx, database, sqlite.Options{})
	if err != nil {
		return notBackup("its database cannot be opened", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	db, err := store.New(ctx, engine)
	if err != nil {
		return notBackup("its database cannot be read", err)
	}
	return db.View(ctx, func(v *store.View) error {
		switch h, found, err := v.Head(ctx); {
		case err != nil || !found:
			return notBackup("its database holds no log", err)
		case h.Origin != m.Origin:
			return notBackup(fmt.Sprintf("its manifest is of the log %.100q, and its database of %.100q", m.Origin, h.Origin), nil)
		case h.Base+h.Size < m.Entries:
			return notBackup(fmt.Sprintf("its manifest is of a log with %d entries, and its database holds %d", m.Entries, h.Base+h.Size), nil)
		}
		return nil
	})
}

func notBackup(why string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: "this is no whole backup of Verdict: " + why,
		Remedy: "use another copy of the backup, or an earlier one; nothing was put in force", Err: err,
	}
}

func (d restored) text(s report.Style) string {
	rows := [][]string{
		{"folder", report.Neutral(d.Folder)},
		{"made", d.At.Format("2006-01-02 15:04:05 MST") + " by verdict " + report.Neutral(d.Version)},
		{"log", fmt.Sprintf("%s, %s or more", report.Neutral(d.Origin), plural(int(d.Entries), "entry", "entries"))},
		{"blobs", fmt.Sprint(d.Blobs)},
	}
	out := s.Strong("The backup is back.") + "\n" + report.Table(rows, s.Width, "  ") + "next:\n"
	if !d.Keyed {
		out += "  put the keys of this log (log.key, local.pem and the others) into " + shellWord(d.Keys) + ", each with mode 0600\n"
	}
	at := " --data " + shellWord(d.Folder)
	return out + "  verdict log verify" + at + "\n  verdict log epoch --from-backup" + at + "    when that says that the database was set back\n"
}
