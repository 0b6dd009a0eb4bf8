package storetest

import (
	"os"
	"testing"
)

// Main runs the tests of a package that may use Postgres.
func Main(m *testing.M) int { return m.Run() }

// Postgres skips the test: the suite starts a PostgreSQL on a unix socket.
func Postgres(t testing.TB) string {
	t.Helper()
	if os.Getenv("VERDICT_LONG") != "" {
		t.Fatal("PostgreSQL is needed, and these tests start one on Unix alone")
	}
	t.Skip("SKIP PostgreSQL: these tests start one on Unix alone")
	return ""
}
