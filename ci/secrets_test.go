package ci

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zricethezav/gitleaks/v8/config"
	"github.com/zricethezav/gitleaks/v8/logging"

	"verdict"
)

// Secrets of our own making. They are put together here, so that nobody's scanner takes
// this file for a leak.
var (
	generic1 = "x8Kq02mZ" + "pL41vTqR9sWeB7"
	generic2 = "Hq7TzV0r" + "Wn35kYbX2cLdP9"
	token    = "ghp" + "_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"
)

// searched runs the check over files and gives its report.
func searched(t *testing.T, files map[string]string, o SecretsOptions) verdict.Report {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, dir, name, content)
	}
	s, err := NewSecrets(o)
	must(t, err)
	m, err := Walk(t.Context(), dir, WalkOptions{}, s)
	must(t, err)
	return s.Report(m, ".")
}

func told(r verdict.Report, word string) bool {
	return slices.ContainsFunc(r.NotChecked, func(n verdict.NotChecked) bool { return strings.Contains(n.Path+" "+n.Reason, word) })
}

func TestReportHoldsPlacesAndNoSecret(t *testing.T) {
	r := searched(t, map[string]string{
		"config/app.env": "# settings\napi_key=" + generic1 + "\nname=x\nother_token=" + token + "\n",
		"b.env":          "\n\nAPI_KEY=" + generic1 + "\nAPI_KEY=" + generic1 + "\n",
		"clean.txt":      "nothing here",
	}, SecretsOptions{Version: "1.2.3"})
	if len(r.Hits) != 3 || !r.Complete || r.Check != SecretsCheck || r.Scope.Files != 3 || r.Tool.Rules.Algorithm() != "sha256" {
		t.Fatalf("report: %+v", r)
	}
	b, c := r.Hits[0], r.Hits[1]
	if b.Path != "b.env" || b.Line != 3 || b.Detector != "dotenv-secret" || !strings.Contains(b.Message, "also in line 4") || b.Fix == "" {
		t.Errorf("first hit: %+v", b)
	}
	if c.Path != "config/app.env" || c.Line != 2 || r.Hits[2].Detector != "github-pat" || r.Hits[2].Severity != verdict.SeverityCritical {
		t.Errorf("other hits: %+v", r.Hits[1:])
	}
	text, err := json.Marshal(r)
	must(t, err)
	for _, secret := range []string{generic1, token} {
		for n := 6; n <= len(secret); n++ {
			if strings.Contains(string(text), secret[:n]) || strings.Contains(string(text), secret[len(secret)-n:]) {
				t.Fatalf("the report holds %d characters of a secret: %s", n, text)
			}
		}
	}
	if !told(r, "git history was not searched") {
		t.Error("the report does not say that history was not searched")
	}
}

func TestKeysAreStableAndTellAReplacedSecret(t *testing.T) {
	key := func(files map[string]string) string {
		t.Helper()
		r := searched(t, files, SecretsOptions{})
		if len(r.Hits) != 1 {
			t.Fatalf("%d hits: %+v", len(r.Hits), r.Hits)
		}
		return r.Hits[0].Key
	}
	first := key(map[string]string{"a.env": "api_key=" + generic1 + "\n"})
	if moved := key(map[string]string{"a.env": strings.Repeat("# a comment\n", 40) + "api_key=" + generic1 + "\n"}); moved != first {
		t.Errorf("another line made another key: %s, %s", first, moved)
	}
	if other := key(map[string]string{"a.env": "api_key=" + generic2 + "\n"}); other == first {
		t.Error("another secret in the same place has the same key: a false positive would hide it")
	}
	if other := key(map[string]string{"b.env": "api_key=" + generic1 + "\n"}); other == first {
		t.Error("two files share a key")
	}
	if n := len(strings.Split(first, ":")[2]); n != 4 {
		t.Errorf("%s says more than 16 bits about the secret", first)
	}
}

func TestSecretsThatShareACheckValueKeepKeysOfTheirOwn(t *testing.T) {
	s, err := NewSecrets(SecretsOptions{})
	must(t, err)
	r := s.rules.rules[0]
	hits, _ := s.keyed(&Manifest{}, []secretHit{{rule: r, path: "a", lines: []int64{9}, check: "0000"}, {rule: r, path: "a", lines: []int64{2}, check: "0000"}})
	if hits[0].Key == hits[1].Key || hits[0].Line != 2 || !strings.HasSuffix(hits[1].Key, "#2") {
		t.Errorf("got %+v", hits)
	}
}

func TestACommentExcusesNothing(t *testing.T) {
	r := searched(t, map[string]string{"a.py": "api_key = \"" + generic1 + "\"  # gitleaks:allow\n"}, SecretsOptions{})
	if len(r.Hits) != 1 || !strings.Contains(r.Hits[0].Message, "gitleaks:allow comment beside it does not count") {
		t.Errorf("got %+v", r.Hits)
	}
}

func TestIgnores(t *testing.T) {
	files := map[string]string{"a.env": "api_key=" + generic1 + "\n"}
	key := searched(t, files, SecretsOptions{}).Hits[0].Key
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	file := func(key, expires string) string {
		return fmt.Sprintf("schema: verdict-ignore/v1\nfalse_positives:\n  - key: %q\n    reason: the vendor's example\n    owner: payments\n    expires: %s\n", key, expires)
	}
	check := func(text string) verdict.Report {
		t.Helper()
		list, err := ParseIgnores(IgnoreFile, []byte(text))
		must(t, err)
		return searched(t, files, SecretsOptions{Ignores: list.FalsePositives, IgnoreFile: IgnoreFile, Now: func() time.Time { return now }})
	}
	t.Run("a live one takes the hit away and is counted", func(t *testing.T) {
		if r := check(file(key, "2026-11-21")); len(r.Hits) != 0 || r.Ignored != 1 || !r.Complete {
			t.Errorf("got %d hits, %d ignored", len(r.Hits), r.Ignored)
		}
	})
	t.Run("on the day of its expiry it counts no more, and that is told", func(t *testing.T) {
		if r := check(file(key, "2026-11-20")); len(r.Hits) != 1 || r.Ignored != 0 || !told(r, "expired on 2026-11-20") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("one for another key changes nothing", func(t *testing.T) {
		if r := check(file("secret:generic-api-key:0000:b.env", "2027-01-01")); len(r.Hits) != 1 {
			t.Errorf("got %d hits", len(r.Hits))
		}
	})
	for name, text := range map[string]string{
		"another schema":            strings.Replace(file(key, "2027-01-01"), "v1", "v2", 1),
		"an unknown field":          file(key, "2027-01-01") + "    because: x\n",
		"no reason":                 strings.Replace(file(key, "2027-01-01"), "the vendor's example", `""`, 1),
		"no owner":                  strings.Replace(file(key, "2027-01-01"), "payments", `" "`, 1),
		"no expiry":                 "schema: verdict-ignore/v1\nfalse_positives: [{key: \"" + key + "\", reason: r, owner: o}]\n",
		"a date that is none":       file(key, "next-year"),
		"a day that does not exist": file(key, "2027-02-30"),
		"a vulnerability":           file("CVE-2026-1@pkg:npm/x@1", "2027-01-01"),
		"two documents":             file(key, "2027-01-01") + "---\nschema: verdict-ignore/v1\n",
		"no yaml":                   "{",
		"nothing":                   "",
		"more than it may hold":     "schema: verdict-ignore/v1\n" + strings.Repeat("# filler\n", maxIgnore/8),
	} {
		_, err := ParseIgnores(IgnoreFile, []byte(text))
		var e *verdict.Error
		if !errors.As(err, &e) || e.Remedy == "" || e.Code != verdict.CodeInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzIgnores(f *testing.F) {
	f.Add([]byte("schema: verdict-ignore/v1\nfalse_positives:\n  - {key: \"secret:x\", reason: r, owner: o, expires: 2027-01-01}\n"))
	f.Add([]byte("a: &a [*a, *a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ParseIgnores(IgnoreFile, data)
		for _, x := range list.FalsePositives {
			if err == nil && (x.Reason == "" || x.Owner == "" || x.Expires.IsZero() || x.Key == "") {
				t.Errorf("accepted %+v", x)
			}
		}
	})
}

func TestOurOwnRules(t *testing.T) {
	account := "k9Qw3Zt7Xb1Vn5Mc8Lp2Rj6Hd4Gf0Ss+aYuEiOoTrPqWzNxBvCmKlJhGfDdSaQ" + "1w2E3r4T5y6U7i8O9p0A/s9z=="
	for _, c := range []struct{ name, path, text, rule string }{
		{"a storage account key", "a.json", `DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=` + account + `;`, "azure-storage-account-key"},
		{"a service bus key", "a.json", `Endpoint=sb://acme.example/;SharedAccessKeyName=x;SharedAccessKey=` + account[:43] + `=`, "azure-shared-access-key"},
		{"a database password", "a.txt", `postgres://app:` + generic1 + `@db.acme.example/app`, "connection-string-password"},
		{"a registry login", ".docker/config.json", `{"auths":{"r":{"auth": "` + account[:32] + `"}}}`, "docker-registry-auth"},
		{"a registry login elsewhere is no registry login", "config.json", `{"auths":{"r":{"auth": "` + account[:32] + `"}}}`, "!docker-registry-auth"},
		{"a placeholder for a password", "a.txt", `postgres://app:changeme-now@db/app`, "!connection-string-password"},
		{"a variable for a password", "a.txt", `postgres://app:${PASSWORD}@db/app`, "!connection-string-password"},
		{"an address without a password", "a.txt", `postgres://db.acme.example/app`, "!connection-string-password"},
		{"a key file", "keys/release.p12", "\x00\x01binary", "pkcs12-file"},
		{"a key file of the rule set that is text", "keys/release.pfx", "text", "pkcs12-file"},
	} {
		r := searched(t, map[string]string{c.path: c.text}, SecretsOptions{})
		want, not := strings.CutPrefix(c.rule, "!")
		got := slices.ContainsFunc(r.Hits, func(h verdict.Hit) bool { return h.Detector == want })
		if got == not {
			t.Errorf("%s: hits %+v", c.name, r.Hits)
		}
	}
}

func TestWhatWasNotSearchedIsTold(t *testing.T) {
	r := searched(t, map[string]string{
		"a.bin.dat": "api_key=" + generic1 + "\n" + compiled, "package-lock.json": "{}", "wide.txt": utf16le("api_key=" + generic2 + "\n"),
	}, SecretsOptions{})
	if !told(r, "binary files, whose content was not searched: 1") || !told(r, "brought in by others: 1") {
		t.Errorf("told: %+v", r.NotChecked)
	}
	if len(r.Hits) != 1 || r.Hits[0].Path != "wide.txt" {
		t.Errorf("UTF-16 is text: %+v", r.Hits)
	}
	if !r.Complete {
		t.Error("binary files make the check incomplete")
	}
}

// compiled is content that nobody takes for text.
var compiled = "\x7fELF" + strings.Repeat("\x00\x01\x02\xff\xfe\xc3", 20)

// One byte hides nothing, and binary files alone are not nothing.
func TestANULHidesNoText(t *testing.T) {
	leak := "settlement_api_key: \"" + generic1 + "\"\n"
	for name, content := range map[string]string{
		"c.yaml":   "\x00settlement_api_key: \"8f3Kq9ZtW2xLm5Vd" + "7RbY4nCs6HpJ1gTe\"\n",
		"c.dat":    leak + "\x00",
		"data":     strings.Repeat("a line of text\n", 50) + leak + "\x00\x00\x00",
		"d.json":   compiled + "\n" + leak,
		".env.ci":  "\x00\x00\x00\x00" + leak,
		"w.conf":   utf16le(leak)[2:],
		"key.py":   strings.ReplaceAll(leak, " ", "\x00"),
		"w16.yaml": utf16le("\x00" + leak),
	} {
		r := searched(t, map[string]string{name: content}, SecretsOptions{})
		if len(r.Hits) != 1 || r.Hits[0].Line != int64(1+strings.Count(content[:max(strings.Index(content, "settlement"), 0)], "\n")) {
			t.Errorf("%s: %+v", name, r.Hits)
		}
	}
	r := searched(t, map[string]string{"a.so": compiled, "b.class": compiled}, SecretsOptions{})
	if !told(r, "binary files, whose content was not searched: 2") || r.Scope.Files != 2 || r.Scope.Inputs != 2 || r.Scope.Bytes == 0 {
		t.Errorf("binary files alone: %+v", r)
	}
}

func utf16le(s string) string {
	out := "\xff\xfe"
	for _, c := range s {
		out += string([]byte{byte(c), 0})
	}
	return out
}

func TestATextTooLargeLeavesTheCheckIncomplete(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "dump.sql", strings.Repeat("insert into t;\n", 100))
	write(t, dir, "disk.dat", compiled+strings.Repeat("\x00\x01\xff\xfe", 100))
	write(t, dir, "page.dat", "\x00"+strings.Repeat("text ", 100))
	write(t, dir, "wide.yaml", compiled+compiled)
	s, err := NewSecrets(SecretsOptions{})
	must(t, err)
	m, err := Walk(t.Context(), dir, WalkOptions{MaxFile: 100}, s)
	must(t, err)
	r := s.Report(m, ".")
	i := slices.IndexFunc(r.NotChecked, func(n verdict.NotChecked) bool { return n.Path == "disk.dat" })
	for _, name := range []string{"dump.sql", "page.dat", "wide.yaml"} {
		gap(t, r.NotChecked, name+": it holds", true)
	}
	if r.Complete || i < 0 || r.NotChecked[i].Blocks {
		t.Errorf("got %+v", r)
	}
}

func TestTooManyHitsAreToldAndBlock(t *testing.T) {
	s, err := NewSecrets(SecretsOptions{})
	must(t, err)
	var b strings.Builder
	for i := range 30 {
		fmt.Fprintf(&b, "api_key = %q\n", fmt.Sprintf("%s%04dWe", generic1[:18], i*37))
	}
	s.hits = make([]secretHit, maxHits-10)
	for i := range s.hits {
		s.hits[i] = secretHit{rule: s.rules.rules[0], path: fmt.Sprint(i), lines: []int64{1}}
	}
	s.Read(t.Context(), File{Path: "a.txt"}, []byte(b.String()))
	r := s.Report(&Manifest{}, ".")
	if len(r.Hits) != maxHits || r.Complete || !told(r, "20 more hits") {
		t.Errorf("%d hits, complete %v", len(r.Hits), r.Complete)
	}
}

// The library can log what it looks at. It must not, at the level that it starts with.
func TestTheLibraryLogsNothingOfWhatItReads(t *testing.T) {
	if info := int8(1); int8(logging.Logger.GetLevel()) < info {
		t.Errorf("the library logs at %v, which prints secrets", logging.Logger.GetLevel())
	}
}

func TestPathsThatTheRuleSetLeavesOut(t *testing.T) {
	s := libraryRules(t)
	for _, p := range []string{"a.go", "go.mod", "x/go.sum", "img/a.PNG", "vendor/modules.txt", "vendor/github.com/x/y.go", "node_modules", "a/node_modules/b.js", "package-lock.json", "xpackage-lock.json",
		"Pipfile.lock", ".venv/lib/x.py", "lib/python3.11/x", "jquery.min.js", "src/query.js", "a.gem", "gradlew", "gradlew.x", "verification-metadata.xml", filepath.Join("deep", "angular-1.2.js.map"), "venv", "x.dist-info/y", "a-1.0.dist-info/METADATA", ".git"} {
		want := slices.ContainsFunc(s.allowed, func(a *config.Allowlist) bool { return a.PathAllowed(p) })
		if got := s.pathAllowed(p); got != want {
			t.Errorf("%s: left out %v, the library says %v", p, got, want)
		}
	}
}

// A file that is made of secrets costs no more than a bound, and is not taken for searched.
func TestAFileOfSecretsIsBounded(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(13, 14))}
	var b strings.Builder
	for range maxFindings + 500 {
		b.WriteString("x=" + "gh" + "p_" + m.of(alphanum, 36) + "\n")
	}
	r := searched(t, map[string]string{"a.txt": b.String()}, SecretsOptions{})
	gap(t, r.NotChecked, "a.txt: the search did not finish: more than", true)
	if r.Complete || len(r.Hits) != maxHits {
		t.Errorf("%d hits, complete %v", len(r.Hits), r.Complete)
	}
}
