package store_test

import (
	"context"
	"database/sql"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pressly/goose/v3"

	"verdict/store"
	"verdict/store/postgres"
	"verdict/store/sqlite"
	"verdict/store/storetest"
)

var update = flag.Bool("update", false, "write schema.sql anew")

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// opener gives engines; the same name gives the same database.
type opener func(t testing.TB, name string) store.Engine

func openSQLite(t testing.TB) opener {
	dirs := map[string]string{}
	return func(t testing.TB, name string) store.Engine {
		t.Helper()
		key := t.Name() + name
		if dirs[key] == "" {
			dirs[key] = t.TempDir()
		}
		e, err := sqlite.Open(t.Context(), filepath.Join(dirs[key], "verdict.db"), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
}

func openPostgres(t testing.TB) opener {
	dsns := map[string]string{}
	return func(t testing.TB, name string) store.Engine {
		t.Helper()
		key := t.Name() + name
		if dsns[key] == "" {
			dsns[key] = storetest.Postgres(t)
		}
		e, err := postgres.Open(t.Context(), dsns[key])
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
}

func TestSQLiteKeepsTheContract(t *testing.T) { suite(t, openSQLite(t)) }

func TestPostgreSQLKeepsTheContract(t *testing.T) {
	storetest.Postgres(t)
	suite(t, openPostgres(t))
}

// suite runs the conformance suite and then holds what it ran against the source: a
// statement that the suite never ran is one that nobody has tried on this engine.
func suite(t *testing.T, open opener) {
	ran := &recorder{texts: map[string]bool{}}
	storetest.Engine(t, func(t testing.TB, name string) store.Engine { return record(open(t, name), ran) })
	for name, text := range statements(t) {
		if !slices.ContainsFunc(ran.list(), func(s string) bool { return strings.HasPrefix(s, text) }) {
			t.Errorf("the suite does not run %s", name)
		}
	}
}

// recorder remembers the texts of statements.
type recorder struct {
	mu    sync.Mutex
	texts map[string]bool
}

func (r *recorder) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]string, 0, len(r.texts))
	for s := range r.texts {
		out = append(out, s)
	}
	return out
}

func (r *recorder) note(statements []store.Statement) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range statements {
		r.texts[s.SQL] = true
	}
}

type recording struct {
	store.Engine
	ran *recorder
}

// recordingTelling has the ability that recording would hide.
type recordingTelling struct {
	recording
	telling store.Telling
}

func (e recordingTelling) Announcement() store.Statement { return e.telling.Announcement() }

func (e recordingTelling) Watch(ctx context.Context, wake func()) error {
	return e.telling.Watch(ctx, wake)
}

func (e recordingTelling) Time() store.Statement { return e.telling.(store.Timed).Time() }

func record(e store.Engine, ran *recorder) store.Engine {
	if t, able := e.(store.Telling); able {
		return recordingTelling{recording{e, ran}, t}
	}
	return recording{e, ran}
}

type recordingReader struct {
	store.Reader
	ran *recorder
}

func (e recording) Read(ctx context.Context, read func(store.Reader) error) error {
	return e.Engine.Read(ctx, func(r store.Reader) error { return read(recordingReader{r, e.ran}) })
}

func (e recording) Write(ctx context.Context, plan func(store.Reader) ([]store.Statement, error)) error {
	return e.Engine.Write(ctx, func(r store.Reader) ([]store.Statement, error) {
		s, err := plan(recordingReader{r, e.ran})
		e.ran.note(s)
		return s, err
	})
}

func (r recordingReader) Run(ctx context.Context, statements ...store.Statement) error {
	r.ran.note(statements)
	return r.Reader.Run(ctx, statements...)
}

// statements finds every constant of the package whose name ends in Statement.
func statements(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]ast.Expr{}
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for i, n := range v.Names {
					if i < len(v.Values) {
						constants[n.Name] = v.Values[i]
					}
				}
			}
		}
	}
	out := map[string]string{}
	for name, x := range constants {
		if strings.HasSuffix(name, "Statement") {
			out[name] = text(t, constants, x)
		}
	}
	if len(out) < 30 {
		t.Fatalf("only %d statements were found", len(out))
	}
	return out
}

func text(t testing.TB, constants map[string]ast.Expr, x ast.Expr) string {
	switch x := x.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(x.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	case *ast.BinaryExpr:
		return text(t, constants, x.X) + text(t, constants, x.Y)
	case *ast.Ident:
		return text(t, constants, constants[x.Name])
	}
	t.Fatalf("%T in a statement", x)
	return ""
}

func TestParametersFirstAppearInOrderInEachStatementThatRuns(t *testing.T) {
	ran := &recorder{texts: map[string]bool{}}
	open := openSQLite(t)
	storetest.Engine(t, func(t testing.TB, name string) store.Engine { return record(open(t, name), ran) })
	parameter := regexp.MustCompile(`\$(\d+)`)
	for _, s := range ran.list() {
		next := 1
		for _, m := range parameter.FindAllStringSubmatch(s, -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil || n > next {
				t.Errorf("$%s before $%d in %.100s", m[1], next, s)
				break
			}
			if n == next {
				next++
			}
		}
	}
}

// A database of the version before goes on: of its entries, and of those that a program of
// that version records beside a newer one, it is not known which blobs they name. Taken for
// entries that name none, a sweep would remove what their replay needs.
func TestOfEntriesOfTheVersionBeforeItIsNotKnownWhichBlobsTheyName(t *testing.T) {
	const before = `INSERT INTO entry (seq, to_seq, at, kind, predicate_type, producer, service, team, environment, point, run, actor, said, retention, subjects, digest, identity, foreign_digest, foreign_origin, foreign_seq, signer, signature, size, payload, leaf)
		VALUES ($1, 9223372036854775807, 0, '', '', '', '', '', '', '', '', '', 0, '', '[]', '', $2, '', '', 0, '', '', 0, NULL, NULL)`
	onOld(t, 1, func(t *testing.T, db *sql.DB, e store.Engine) {
		insert := func(seq int) {
			if _, err := db.ExecContext(t.Context(), before, seq, []byte{byte(seq)}); err != nil {
				t.Fatal(err)
			}
		}
		insert(0)
		s, err := store.New(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		insert(1)
		n, err := s.NameBlobs(t.Context(), 10, func(entries []store.Entry) ([]store.Named, error) {
			for i, e := range entries {
				if e.Seq != int64(i) || e.Blobs != -1 {
					t.Errorf("%+v", e)
				}
			}
			return nil, nil
		})
		if n != 2 || err != nil {
			t.Errorf("%d entries, %v", n, err)
		}
	})
}

// onOld runs a test on a database of each engine that an earlier version made.
func onOld(t *testing.T, version int64, f func(t *testing.T, db *sql.DB, e store.Engine)) {
	migrate := func(t *testing.T, dialect goose.Dialect, db *sql.DB, e store.Engine) {
		p, err := goose.NewProvider(dialect, db, os.DirFS("migrations"), goose.WithTableName("schema_version"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.UpTo(t.Context(), version); err != nil {
			t.Fatal(err)
		}
		f(t, db, e)
	}
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a.db")
		e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		migrate(t, goose.DialectSQLite3, db, e)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		dsn := storetest.Postgres(t)
		e, err := postgres.Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("CREATE DOMAIN blob AS bytea"); err != nil {
			t.Fatal(err)
		}
		migrate(t, goose.DialectPostgres, db, e)
	})
}

// The version before last did not name the rules of a released map, and its rows say that
// all is known. Believed, they let a sweep remove the rules by which everything is judged.
func TestReleasesOfAVersionThatDidNotNameTheirRulesAreReadAgain(t *testing.T) {
	const before = `INSERT INTO entry (seq, to_seq, at, kind, predicate_type, producer, service, team, environment, point, run, actor, said, retention, subjects, digest, identity, foreign_digest, foreign_origin, foreign_seq, signer, signature, size, payload, leaf, blobs)
		VALUES ($1, 9223372036854775807, 0, $2, '', '', '', '', '', '', '', '', 0, '', '[]', '', $3, '', '', 0, '', '', 0, NULL, NULL, 1)`
	name := func(i int) string { return "sha256:" + strings.Repeat(strconv.Itoa(i), 64) }
	onOld(t, 2, func(t *testing.T, db *sql.DB, e store.Engine) {
		for i, kind := range []string{"decision", "map-release", "proposal", "policy-release"} {
			if _, err := db.ExecContext(t.Context(), before, i, kind, []byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), `INSERT INTO blob_use (digest, from_seq, to_seq, role) VALUES ($1, $2, 9223372036854775807, '')`, name(i), i); err != nil {
				t.Fatal(err)
			}
		}
		s, err := store.New(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		var unknown []int64
		var kept []string
		_, err = s.NameBlobs(t.Context(), 10, func(entries []store.Entry) ([]store.Named, error) {
			for _, e := range entries {
				unknown = append(unknown, e.Seq)
			}
			return nil, nil
		})
		if err == nil {
			err = s.View(t.Context(), func(v *store.View) error {
				return v.UsedBlobs(t.Context(), []string{name(0), name(1), name(2), name(3)}, func(d string) error { kept = append(kept, d); return nil })
			})
		}
		slices.Sort(kept)
		if err != nil || !slices.Equal(unknown, []int64{1, 2}) || !slices.Equal(kept, []string{name(0), name(3)}) {
			t.Errorf("not known are %v, and named are %v (%v)", unknown, kept, err)
		}
	})
}

// describe lists tables, columns and indexes in words that both engines share.
func describe(t testing.TB, e store.Engine) string {
	t.Helper()
	query := map[string]string{
		"sqlite": `SELECT m.name || '.' || c.name || ' ' || upper(c.type) || CASE WHEN c."notnull" = 1 THEN ' NOT NULL' ELSE '' END FROM sqlite_master m, pragma_table_info(m.name) c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'schema_version'
			UNION ALL SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`,
		"postgres": `SELECT table_name || '.' || column_name || ' ' || upper(CASE WHEN domain_name IS NULL THEN data_type ELSE domain_name END) || CASE WHEN is_nullable = 'NO' THEN ' NOT NULL' ELSE '' END
			FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> 'schema_version'
			UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key' AND tablename <> 'schema_version'`,
	}[e.Name()]
	var lines []string
	err := e.Read(t.Context(), func(r store.Reader) error {
		return r.Run(t.Context(), store.Statement{SQL: query, Each: func(row store.Row) error {
			var line string
			err := row.Scan(&line)
			for old, new := range map[string]string{" USING btree": "", " ON public.": " ON ", "::text": "", "'9223372036854775807'::bigint": "9223372036854775807", ") AND (": " AND "} {
				line = strings.ReplaceAll(line, old, new)
			}
			if before, where, ok := strings.Cut(line, " WHERE "); ok {
				line = before + " WHERE " + strings.Trim(where, "()")
			}
			lines = append(lines, line)
			return err
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestBothEnginesHaveOneSchemaAndItIsTheCommittedOne(t *testing.T) {
	lite := openSQLite(t)(t, "schema")
	defer lite.Close()
	if err := lite.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var tables []string
	err := lite.Read(t.Context(), func(r store.Reader) error {
		return r.Run(t.Context(), store.Statement{SQL: `SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND name <> 'schema_version' ORDER BY tbl_name, type DESC, name`, Each: func(row store.Row) error {
			var s string
			err := row.Scan(&s)
			tables = append(tables, s+";\n")
			return err
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	got := "-- What the migrations make. Written by go test ./store -update; PostgreSQL has the same,\n-- with CREATE DOMAIN blob AS bytea before it.\n\n" + strings.Join(tables, "\n")
	if *update {
		if err := os.WriteFile("schema.sql", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile("schema.sql"); err != nil || string(want) != got {
		t.Errorf("schema.sql is not what the migrations make: run go test ./store -update, and look at the difference (%v)", err)
	}
	t.Run("PostgreSQL", func(t *testing.T) {
		pg := openPostgres(t)(t, "schema")
		defer pg.Close()
		if err := pg.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a, b := describe(t, lite), describe(t, pg); a != b {
			t.Errorf("the schemas differ:\n%s\n\n%s", a, b)
		}
	})
}
