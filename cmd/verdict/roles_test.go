package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"verdict/identity"
)

// plane is a control plane on this machine, with the sign-in that verdict serve has.
type plane struct {
	*served
	address, link string
}

func planeOn(t *testing.T) *plane {
	t.Helper()
	g := &plane{served: servingData(t, func(func(...string) string) {})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.address = "http://" + l.Addr().String()
	public, err := url.Parse(g.address)
	if err != nil {
		t.Fatal(err)
	}
	in, err := g.host.signIn("", public)
	if err != nil {
		t.Fatal(err)
	}
	s, err := g.host.server(t.Context(), public, in)
	if err != nil {
		t.Fatal(err)
	}
	in.Routes(s)
	if g.link, err = g.host.adminLink(t.Context(), in, public); err != nil {
		t.Fatal(err)
	}
	h := &http.Server{Handler: s.Handler()}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	t.Cleanup(func() { _ = h.Close(); <-ended })
	return g
}

// at runs a command of somebody with a home and data of his own.
func (g *plane) at(home string, env []string, args ...string) (code int, out, errs string) {
	g.t.Helper()
	var o, e bytes.Buffer
	env = append([]string{"HOME=" + home, "VERDICT_DATA=" + home + "/data", "PATH=" + os.Getenv("PATH")}, env...)
	if g.address != "" {
		env = append(env, "VERDICT_SERVER="+g.address)
	}
	code = run(context.Background(), env, bytes.NewReader(nil), &o, &e, args)
	return code, o.String(), e.String()
}

// alone runs a command without a server.
func (g *plane) alone(home string, env []string, args ...string) (code int, out, errs string) {
	g.t.Helper()
	there := g.address
	defer func() { g.address = there }()
	g.address = ""
	return g.at(home, env, args...)
}

// An administrator gives and takes roles by command, and nobody gets both sides. What a token
// is for a machine may do is taken with the token.
func TestAnAdministratorGivesAndTakesRolesByCommand(t *testing.T) {
	g := planeOn(t)
	home := t.TempDir()
	_, secret, _ := strings.Cut(g.link, "code=")
	want := func(code int, says string, env []string, args ...string) string {
		t.Helper()
		got, out, errs := g.at(home, env, args...)
		if got != code || !strings.Contains(out+errs, says) {
			t.Fatalf("verdict %s: %d, want %d and %q\n%s%s", strings.Join(args, " "), got, code, says, out, errs)
		}
		return out
	}
	want(4, "nothing here signs in", nil, "roles", "list")
	want(0, "Signed in", []string{"CODE=" + secret}, "login", "--once", "env:CODE")
	want(4, "works once", []string{"CODE=" + secret}, "login", "--once", "env:CODE")
	want(0, "admin", nil, "roles", "list", "--mine")
	want(2, "nothing says why", nil, "roles", "grant", "person:jane", "approver", "--service", "shop")
	want(0, "Recorded as entry", nil, "roles", "grant", "person:jane", "developer", "--service", "shop", "--environment", "prod", "--reason", "on the team")
	want(1, "would let one state evidence", nil, "roles", "grant", "person:jane", "security", "--service", "shop", "--reason", "x")
	want(1, "hold nowhere", nil, "roles", "grant", "person:jane", "viewer", "--reason", "x")
	var list roleList
	if err := json.Unmarshal([]byte(want(0, "verdict.roles/v1", nil, "roles", "list", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	if r := list.Roles.Roles; len(r) != 1 || r[0].Subject != "person:jane" || len(r[0].Grants) != 1 || r[0].Grants[0].Role != identity.Developer {
		t.Errorf("%+v", list)
	}
	want(0, "none", nil, "roles", "revoke", "person:jane", "developer", "--reason", "taken")
}

// A command whose key has no role, or that names one which is refused, acts by what verdict login
// kept, with the roles of a person. Who is not told looks for his pipeline's rights where there are none.
func TestASignInInsteadOfTheKeyIsTold(t *testing.T) {
	g := planeOn(t)
	home := t.TempDir()
	_, secret, _ := strings.Cut(g.link, "code=")
	if code, _, errs := g.at(home, []string{"CODE=" + secret}, "login", "--once", "env:CODE"); code != 0 {
		t.Fatal(errs)
	}
	if code, _, errs := g.at(home, nil, "environments"); code != 0 || strings.Contains(errs, "not by the key") {
		t.Errorf("who signed in because he has no key is told so each time: %d %s", code, errs)
	}
	if code, _, errs := g.at(home, nil, "keys", "create", "mine"); code != 0 {
		t.Fatal(errs)
	}
	code, _, errs := g.at(home, nil, "environments", "--as", "mine")
	if code != 0 || strings.Count(errs, "signed in by what verdict login kept, and not by the key that signs here: ") != 1 {
		t.Errorf("%d %s", code, errs)
	}
	if _, _, errs := g.at(home, nil, "roles", "list", "--mine"); strings.Contains(errs, "not by the key") {
		t.Errorf("a command that takes the login first says that it came second: %s", errs)
	}
}

func TestAnAPITokenSignsInUntilItIsRevoked(t *testing.T) {
	g := planeOn(t)
	home := t.TempDir()
	_, secret, _ := strings.Cut(g.link, "code=")
	if code, _, errs := g.at(home, []string{"CODE=" + secret}, "login", "--once", "env:CODE"); code != 0 {
		t.Fatal(errs)
	}
	code, token, errs := g.at(home, nil, "tokens", "create", "mirror", "--machine", "--role", "auditor", "--service", "*", "--days", "90")
	if code != 0 || !strings.HasPrefix(token, "vdt_") || strings.Count(token, "\n") != 1 {
		t.Fatalf("%d %s%s", code, token, errs)
	}
	with := []string{"TOKEN=" + strings.TrimSpace(token)}
	if code, out, errs := g.at(t.TempDir(), with, "roles", "list", "--mine", "--token", "env:TOKEN"); code != 0 || !strings.Contains(out, "auditor") {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	if code, out, _ := g.at(home, nil, "tokens", "list"); code != 0 || !strings.Contains(out, "--everybody") {
		t.Errorf("who made one of a machine is told that there is none: %s", out)
	}
	if code, _, errs := g.at(t.TempDir(), []string{"TOKEN=vdt_other"}, "tokens", "list", "--token", "env:TOKEN"); code != 4 || !strings.Contains(errs, "give --token what verdict tokens create printed") {
		t.Errorf("a token of elsewhere: %d %s", code, errs)
	}
	var list struct{ Items []struct{ ID, Label string } }
	_, out, _ := g.at(home, nil, "tokens", "list", "--everybody", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Items) != 1 || list.Items[0].Label != "mirror" || strings.Contains(out, strings.TrimSpace(token)) {
		t.Fatalf("%s, %v", out, err)
	}
	if code, _, errs := g.at(home, nil, "sessions", "revoke", list.Items[0].ID); code == 0 || !strings.Contains(errs, "you have no session") {
		t.Errorf("a token is ended as a session: %s", errs)
	}
	if code, out, errs := g.at(home, nil, "tokens", "revoke", list.Items[0].ID); code != 0 {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	if code, _, errs := g.at(t.TempDir(), with, "tokens", "list", "--token", "env:TOKEN"); code != 4 || !strings.Contains(errs, "revoked") {
		t.Errorf("after it was revoked: %d %s", code, errs)
	}
	if code, _, errs := g.at(home, nil, "sessions", "list"); code != 0 {
		t.Errorf("%d %s", code, errs)
	}
}

// With a server the checkpoint would be its log's and the database this machine's: a backup
// that names one log and holds another.
func TestABackupIsNotMadeOfTwoLogs(t *testing.T) {
	g := planeOn(t)
	home := t.TempDir()
	_, secret, _ := strings.Cut(g.link, "code=")
	if code, _, errs := g.at(home, []string{"CODE=" + secret}, "login", "--once", "env:CODE"); code != 0 {
		t.Fatal(errs)
	}
	to := home + "/friday.tar"
	code, out, errs := g.at(home, nil, "store", "backup", "--to", to)
	if code != 2 || !strings.Contains(errs, "a backup is done where the server keeps its data") || !strings.Contains(errs, "verdict store backup --to "+to) {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a backup: %v", err)
	}
}

// To whoever sees a part "none" is none that he may see: a component that runs elsewhere would
// read as one that runs nowhere.
func TestWhoSeesAPartIsToldThatItIsOne(t *testing.T) {
	g := planeOn(t)
	home := t.TempDir()
	_, secret, _ := strings.Cut(g.link, "code=")
	if code, _, errs := g.at(home, []string{"CODE=" + secret}, "login", "--once", "env:CODE"); code != 0 {
		t.Fatal(errs)
	}
	for _, tt := range []struct {
		service, environment string
		part                 bool
	}{{"*", "*", false}, {"shop", "*", true}, {"*", "prod", true}} {
		_, token, errs := g.at(home, nil, "tokens", "create", "reader", "--machine", "--role", "viewer", "--service", tt.service, "--environment", tt.environment)
		with := []string{"TOKEN=" + strings.TrimSpace(token)}
		for _, ask := range [][]string{{"findings", "list"}, {"exception", "list"}, {"environments"}} {
			code, out, told := g.at(t.TempDir(), with, append(ask, "--token", "env:TOKEN")...)
			if code != 0 || strings.Contains(told, "do not reach over the whole ledger") != tt.part {
				t.Errorf("%s in %+v: %d %s%s%s", strings.Join(ask, " "), tt, code, out, told, errs)
			}
		}
	}
}

// Evidence that names no service is the organisation's, and a pipeline whose role is of one
// service may not state that. In the repository of that service nobody has to type its name,
// with a server as without one.
func TestEvidenceOfATreeIsOfItsService(t *testing.T) {
	g := planeOn(t)
	g.run("ci", t.TempDir()) // enrolls this machine's key
	home := t.TempDir()
	_, secret, _ := strings.Cut(g.link, "code=")
	if code, _, errs := g.at(home, []string{"CODE=" + secret}, "login", "--once", "env:CODE"); code != 0 {
		t.Fatal(errs)
	}
	code, token, errs := g.at(home, nil, "tokens", "create", "builds", "--machine", "--role", "developer", "--service", "shop", "--environment", "*", "--days", "9")
	if code != 0 {
		t.Fatal(errs)
	}
	h := newHistory(t)
	t.Chdir(h.dir)
	for name, text := range map[string]string{
		"verdict.yaml": "schema: verdict/v1\nservices:\n  shop: {owner: jane@acme.example, team: web}\n", "app.tar": "app", "bom.json": `{"bomFormat":"CycloneDX","specVersion":"1.6"}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.git("add", ".")
	h.git("commit", "-q", "-m", "shop")
	h.git("commit", "-q", "-m", "next", "--allow-empty")
	h.git("update-ref", "refs/remotes/origin/main", "HEAD")
	h.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	for place, more := range map[string][]string{"with a server": {"--token", "env:TOKEN", "--data", g.data}, "without one": nil} {
		var doc attested
		args := append([]string{"attest", "sbom", "bom.json", "--subject", "app.tar", "-o", "json"}, more...)
		at, env := g.at, []string{"TOKEN=" + strings.TrimSpace(token)}
		if more == nil {
			at, env = g.alone, nil
		}
		code, out, errs := at(t.TempDir(), env, args...)
		if err := json.Unmarshal([]byte(out), &doc); err != nil || code != 0 || doc.Context.Service != "shop" {
			t.Errorf("%s: %d, %v, of %q\n%s%s", place, code, err, doc.Context.Service, out, errs)
		}
	}
	if err := os.WriteFile("vex.json", []byte(`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://acme.example/vex/1","author":"acme","timestamp":"2026-01-01T00:00:00Z","version":1,"statements":[{"vulnerability":{"name":"CVE-2026-1"},"products":[{"@id":"pkg:npm/x@1.0.0"}],"status":"not_affected","justification":"vulnerable_code_not_present"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var doc attested
	code, out, errs := g.alone(t.TempDir(), nil, "attest", "vex", "vex.json", "--subject", "app.tar", "-o", "json")
	if err := json.Unmarshal([]byte(out), &doc); err != nil || code != 0 || doc.Context.Service != "" {
		t.Errorf("VEX counts for a whole service that nobody named: %d, %v, of %q\n%s%s", code, err, doc.Context.Service, out, errs)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("bom.json", []byte(`{"bomFormat":"CycloneDX","specVersion":"1.6"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := g.at(t.TempDir(), []string{"TOKEN=" + strings.TrimSpace(token)}, "attest", "sbom", "bom.json", "--subject", "bom.json", "--token", "env:TOKEN"); code != 4 || !strings.Contains(errs, "--service NAME") {
		t.Errorf("in no repository: %d %s", code, errs)
	}
}
