package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// changeDatabase runs statements behind the ledger's back: sql FILE STATEMENT…. One that
// changes nothing fails the script, which would prove nothing.
func changeDatabase(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: sql FILE STATEMENT…")
	}
	db := openDatabase(ts, args[0])
	defer db.Close()
	for _, s := range args[1:] {
		r, err := db.Exec(s)
		ts.Check(err)
		if n, err := r.RowsAffected(); err == nil && n == 0 {
			ts.Fatalf("%s changed nothing", s)
		}
	}
}

// rewriteBody changes words in the signed body of one entry, as somebody would who can
// write to the database and has no key: rewrite FILE INDEX OLD NEW.
func rewriteBody(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: rewrite FILE INDEX OLD NEW")
	}
	db := openDatabase(ts, args[0])
	defer db.Close()
	var packed []byte
	ts.Check(db.QueryRow(`SELECT payload FROM entry WHERE seq = $1`, args[1]).Scan(&packed))
	r, err := zstd.NewReader(nil)
	ts.Check(err)
	defer r.Close()
	body, err := r.DecodeAll(packed, nil)
	ts.Check(err)
	if !bytes.Contains(body, []byte(args[2])) {
		ts.Fatalf("entry %s does not hold %q: %s", args[1], args[2], body)
	}
	body = bytes.ReplaceAll(body, []byte(args[2]), []byte(args[3]))
	w, err := zstd.NewWriter(nil)
	ts.Check(err)
	_, err = db.Exec(`UPDATE entry SET payload = $1, size = $2 WHERE seq = $3`, w.EncodeAll(body, nil), len(body), args[1])
	ts.Check(err)
}

func openDatabase(ts *testscript.TestScript, file string) *sql.DB {
	db, err := sql.Open("sqlite", ts.MkAbs(file)+"?_pragma=busy_timeout(5000)")
	ts.Check(err)
	return db
}

// withLittleRoom runs a command that may write files of so many KiB at most and must end
// with an exit code, as on a disk that is full: narrow KIB CODE COMMAND….
func withLittleRoom(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: narrow KIB CODE COMMAND…")
	}
	quoted := make([]string, len(args)-2)
	for i, a := range args[2:] {
		quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	// The shell counts blocks of 512 bytes, as POSIX has it, or of 1024.
	script := fmt.Sprintf("ulimit -f %s; exec %s", args[0], strings.Join(quoted, " "))
	expectCode(ts, false, []string{args[1], "sh", "-c", script})
}

// setTrimmed gives a variable the text of a file, without the line end: trimmed NAME FILE.
func setTrimmed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: trimmed NAME FILE")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// conditions are what scripts ask of the machine beside what testscript knows.
func conditions(name string) (bool, error) {
	if name == "root" {
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("no condition is called %q", name)
}
