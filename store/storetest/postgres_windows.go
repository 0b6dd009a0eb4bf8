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

// Server is a PostgreSQL that a test may kill.
type Server struct{}

// OwnPostgres skips the test, as Postgres does.
func OwnPostgres(t testing.TB) *Server { Postgres(t); return nil }

// Socket is the path of the unix socket that it listens on.
func (*Server) Socket() string { return "" }

// Database makes an empty database and gives its address.
func (*Server) Database(t testing.TB) string { return Postgres(t) }

// Start runs it again after Kill.
func (*Server) Start(testing.TB) {}

// Kill ends the postmaster and all its children.
func (*Server) Kill(testing.TB) int { return 0 }
