package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"verdict/store/storetest"
)

var update = flag.Bool("update", false, "write the expected output of tests instead of comparing it")

// The scripts run the real main in a process of this test binary.
func TestMain(m *testing.M) {
	testscript.Main(withServer{m}, map[string]func(){"verdict": main, "gatepoint": askGate})
}

// withServer stops the PostgreSQL of the tests after them.
type withServer struct{ *testing.M }

func (w withServer) Run() int { return storetest.Main(w.M) }

// Each command and journey has a script: what a person types, what they see, and the
// exit code on which their pipeline rests. `code N COMMAND…` runs a command that must
// end with exit code N.
func TestScripts(t *testing.T) {
	testscript.Run(t, scripts("script"))
}

// An organisation keeps its ledger on PostgreSQL, and types the same commands.
func TestScriptsOnPostgreSQL(t *testing.T) {
	testscript.Run(t, scripts("postgres", "ADDRESS="+storetest.Postgres(t), "EMPTY="+storetest.Postgres(t)))
}

// A restored PostgreSQL is refused behind its anchor as a restored file is. Its script drops
// the database, so it has one of its own.
func TestABackupOfPostgreSQLIsRestored(t *testing.T) {
	testscript.Run(t, scripts("pgdump", "ADDRESS="+storetest.Postgres(t), "EMPTY="+storetest.Postgres(t)))
}

// scripts are those of a folder, with variables for all of them.
func scripts(folder string, vars ...string) testscript.Params {
	return testscript.Params{
		Dir:                 filepath.Join("testdata", folder),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			// The machine's own settings must not decide a test.
			kept := e.Vars[:0]
			for _, kv := range e.Vars {
				if !strings.HasPrefix(kv, "VERDICT_") {
					kept = append(kept, kv)
				}
			}
			e.Vars = append(kept, "HOME="+e.WorkDir+"/home", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "XDG_STATE_HOME=", "CI=", "GITHUB_ACTIONS=", "TF_BUILD=", "GITLAB_CI=", "NO_COLOR=", "CLICOLOR_FORCE=")
			e.Vars = append(e.Vars, vars...)
			return os.MkdirAll(filepath.Join(e.WorkDir, "home"), 0o755)
		},
		Condition: conditions,
		Cmds:      map[string]func(*testscript.TestScript, bool, []string){"code": expectCode, "sql": changeDatabase, "rewrite": rewriteBody, "narrow": withLittleRoom, "trimmed": setTrimmed, "pull": servePull, "registry": serveRegistry, "movetag": moveTag, "dated": setDate, "cosign2": signWithCosign2, "sameanswer": sameAnswer, "keyid": setKeyID, "substitute": substitute, "dropblob": dropBlob, "manypackages": manyPackages, "once": once, "layout": saveLayout, "damage": damageLayout, "sameid": sameID, "objectstore": serveObjects, "vaultserver": serveVault},
	}
}

// expectCode runs a command and holds its exit code. Its output is compared with stdout
// and stderr like that of exec.
func expectCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND [ARG…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		_, number, ok := strings.Cut(err.Error(), "exit status ")
		if !ok {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = number
	}
	if got != args[0] {
		ts.Fatalf("%s ended with exit code %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// setDate gives a file the time at which it was written: what another program left does
// not follow the pinned clock.
func setDate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: dated TIME FILE")
	}
	at, err := time.Parse(time.RFC3339, args[0])
	ts.Check(err)
	ts.Check(os.Chtimes(ts.MkAbs(args[1]), at, at))
}
