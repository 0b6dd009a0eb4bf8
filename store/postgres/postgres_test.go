package postgres_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"verdict"
	"verdict/store"
	"verdict/store/postgres"
	"verdict/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func TestAnAddressThatLeadsNowhereIsExplained(t *testing.T) {
	for dsn, code := range map[string]verdict.Code{
		"postgres://user:secret@host:port/x":                              verdict.CodeUsage,
		"postgres:///x?host=" + t.TempDir() + "&user=u&connect_timeout=2": verdict.CodeUnavailable,
	} {
		_, err := postgres.Open(t.Context(), dsn)
		if e := verdict.AsError(err); e == nil || e.Code != code || strings.ContainsAny(e.Error(), "\t\n") || strings.Contains(e.Error(), "secret") {
			t.Errorf("%s: %v", dsn, err)
		}
		if down := errors.Is(err, store.ErrEngine); down != (code == verdict.CodeUnavailable) {
			t.Errorf("%s: a server would tell its callers to mend the address: %v", dsn, err)
		}
	}
}

func TestCommitsLastAndADatabaseThatIsMissingIsSaidToBe(t *testing.T) {
	dsn := storetest.Postgres(t)
	e, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var commit, isolation string
	err = e.Read(t.Context(), func(r store.Reader) error {
		return r.Run(t.Context(),
			store.Statement{SQL: "SHOW synchronous_commit", Each: func(r store.Row) error { return r.Scan(&commit) }},
			store.Statement{SQL: "SHOW transaction_isolation", Each: func(r store.Row) error { return r.Scan(&isolation) }})
	})
	if err != nil || commit != "on" || isolation != "repeatable read" {
		t.Errorf("%s, %s, %v", commit, isolation, err)
	}
	_, err = postgres.Open(t.Context(), strings.Replace(dsn, "/verdict", "/none", 1))
	if x := verdict.AsError(err); x == nil || x.Code != verdict.CodeUnavailable || !strings.Contains(x.What, "no such database") || !strings.Contains(x.Remedy, "createdb") {
		t.Errorf("%v", err)
	}
}
