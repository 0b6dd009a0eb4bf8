package law

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

var (
	sqlParameter = regexp.MustCompile(`\$(\d+)`)
	sqlStatement = regexp.MustCompile(`(?is)^\s*(--[^\n]*\n\s*)*(select\s.+\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|create\s+(unique\s+)?(table|index|domain)\s|alter\s+table\s|with\s+(recursive\s+)?\w+\s+as\s|pragma\s)`)
	sqlDrivers   = []string{"database/sql", "github.com/jackc/pgx", "modernc.org/sqlite", "github.com/pressly/goose"}
)

var sqlOrderLaw = law{
	name: "the parameters of each SQL statement first appear in order",
	check: func(tr *tree) []breach {
		var out []breach
		for _, s := range tr.gos {
			if r, _ := room(s.dir); r != "store" {
				continue
			}
			for _, l := range literals(s) {
				if what := parameterOrder(l.text); what != "" {
					out = append(out, breach{s.path, tr.line(l.node), what, sqlOrderRemedy})
				}
			}
		}
		for p, text := range tr.texts {
			if path.Ext(p) != ".sql" {
				continue
			}
			for _, statement := range strings.Split(text, ";") {
				if what := parameterOrder(statement); what != "" {
					out = append(out, breach{p, 0, what, sqlOrderRemedy})
				}
			}
		}
		return out
	},
	broken: []example{
		{"two that are swapped", "-- store/a.go --\npackage store\nconst q = `SELECT a FROM b WHERE c = $2 AND d = $1`\n", "$2 appears before $1"},
		{"one that is left out", "-- store/a.go --\npackage store\nconst q = `SELECT a FROM b WHERE c = $1 AND d = $3`\n", "$3 appears before $2"},
		{"a sum of literals", "-- store/a.go --\npackage store\nvar q = `UPDATE a SET b = $2` + ` WHERE c = $1`\n", "$2 appears before $1"},
		{"a file", "-- store/sqlite/q.sql --\nSELECT 1;\nDELETE FROM a WHERE b = $2 AND c = $1;\n", "$2 appears before $1"},
	},
	fine: []example{{"in order, one of them twice", "-- store/a.go --\npackage store\nconst q = `SELECT $1, $2, $1` + ` WHERE a = $3`\nconst money = `costs $ 5`\n", ""}},
}

const sqlOrderRemedy = "number the parameters in the order in which they first appear: some drivers bind others wrongly, and silently"

// parameterOrder says what is wrong with the order of a statement's parameters, or "".
func parameterOrder(statement string) string {
	next := 1
	for _, m := range sqlParameter.FindAllStringSubmatch(statement, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > next || n == 0 {
			return fmt.Sprintf("$%s appears before $%d", m[1], next)
		}
		if n == next {
			next++
		}
	}
	return ""
}

var sqlPlaceLaw = law{
	name: "SQL and its drivers are in store alone",
	check: func(tr *tree) []breach {
		var out []breach
		for _, s := range tr.product() {
			if r, _ := room(s.dir); r == "store" {
				continue
			}
			_, foreign := s.imports(tr.module)
			for _, p := range foreign {
				for _, d := range sqlDrivers {
					if p == d || strings.HasPrefix(p, d+"/") {
						out = append(out, breach{s.path, 0, "imports " + p, "ask store for a method that answers the question"})
					}
				}
			}
			for _, l := range literals(s) {
				if sqlStatement.MatchString(l.text) {
					out = append(out, breach{s.path, tr.line(l.node), "a statement of SQL", "move it into store, beside the Go that runs it"})
				}
			}
		}
		return out
	},
	broken: []example{
		{"a statement", "-- ledger/a.go --\npackage ledger\nvar q = `\n\tSELECT a FROM b`\n", "a statement of SQL"},
		{"a driver", "-- cmd/verdict/a.go --\npackage main\nimport _ \"github.com/jackc/pgx/v5/pgxpool\"\n", "imports github.com/jackc/pgx/v5/pgxpool"},
	},
	fine: []example{{"in store, in a test, and in words", "-- store/a.go --\npackage store\nimport _ \"database/sql\"\nvar q = `SELECT a FROM b`\n-- ledger/a_test.go --\npackage ledger\nvar q = `DELETE FROM a`\n-- ledger/a.go --\npackage ledger\nvar q = `to select one from the list, run it`\n", ""}},
}

// literal is a constant string of a file: one literal, or a sum of several.
type literal struct {
	node ast.Node
	text string
}

// literals lists the constant strings of a file, sums of literals as one.
func literals(s *source) []literal {
	var out []literal
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field: // its tag is no text
			return n.Tag == nil
		case ast.Expr:
			if text, ok := constantText(n); ok {
				out = append(out, literal{n, text})
				return false
			}
		}
		return true
	})
	return out
}

func constantText(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.ParenExpr:
		return constantText(e.X)
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		left, ok := constantText(e.X)
		if !ok {
			return "", false
		}
		right, ok := constantText(e.Y)
		return left + right, ok
	}
	return "", false
}
