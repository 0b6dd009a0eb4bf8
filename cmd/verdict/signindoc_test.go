package main

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"verdict"
	"verdict/server"
)

// Whoever follows the document approves without a key: what its map says is what it takes, and
// each of its commands is typed as it stands there.
func TestTheDocumentLeadsToAnApprovalWithoutAKey(t *testing.T) {
	text, err := os.ReadFile("../../docs/sign-in.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Approvals without a key\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, says, _ := strings.Cut(section, "```yaml map\n")
	_, block, _ := strings.Cut(section, "```sh ")
	block, _, _ = strings.Cut(block, "```")
	p := unattended(t, "")
	account := p.documentedMap(says)

	typed := 0
	for _, line := range strings.Split(block, "\n")[1:] {
		line, _, _ = strings.Cut(line, " #")
		words := wordsOf(strings.ReplaceAll(line, "d-4k7m", p.decision))
		switch {
		case len(words) == 0:
			continue
		case words[0] == "export":
			p.serve(t)
			p.decision = p.asking().ID // by the map that was released
			p.sets("HOME="+t.TempDir(), "VERDICT_SERVER="+p.url)
			continue
		case words[0] != "verdict":
			t.Fatalf("no command: %s", line)
		}
		stdin := ""
		if words[1] == "login" {
			stdin = p.codeFor(map[string]any{"sub": "sub-noor", "oid": account, "groups": []string{"approvers"}}) + "\n"
		}
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), p.vars, strings.NewReader(stdin), &stdout, &stderr, words[1:]); code != 0 {
			t.Fatalf("%s: %d\n%s%s", line, code, &stdout, &stderr)
		}
		if words[1] == "roles" && !strings.Contains(stdout.String(), "approver") {
			t.Errorf("it does not say what she may: %s", &stdout)
		}
		typed++
	}
	if d := p.asking(); typed < 6 || d.Outcome != verdict.Allow || d.Lifted == nil || len(d.Lifted.Approvals) != 1 || !d.Lifted.Approvals[0].SignedIn || d.Lifted.Approvals[0].By != "noor" {
		t.Errorf("after %d commands the gate answers %s: %+v", typed, d.Outcome, d.Aside)
	}
}

// documentedMap writes acme.yaml: the map of the organisation with what the document adds to it, for
// the key of this server. It gives the account of the one whom the document names.
func (p *attended) documentedMap(says string) (account string) {
	p.t.Helper()
	whole, err := os.ReadFile(filepath.Join(p.dir, "org.yaml"))
	if err != nil {
		p.t.Fatal(err)
	}
	trust := regexp.MustCompile(`(?m)^  - \{name: control plane.*$`).FindString(says)
	noor := regexp.MustCompile(`(?m)^  noor: .*entra: \["([^"]*)"\].*$`).FindStringSubmatch(says)
	if trust == "" || noor == nil {
		p.t.Fatalf("the document does not say it: %s", says)
	}
	trust = regexp.MustCompile(`key: "[^"]*"`).ReplaceAllString(trust, `key: "`+p.key+`"`)
	file := strings.Replace(string(whole), "trust:\n", "trust:\n"+trust+"\n", 1)
	file = regexp.MustCompile(`(?m)^  noor: .*$`).ReplaceAllString(file, noor[0])
	if err := os.WriteFile(filepath.Join(p.dir, "repo", "acme.yaml"), []byte(file), 0o644); err != nil {
		p.t.Fatal(err)
	}
	p.t.Chdir(filepath.Join(p.dir, "repo"))
	return noor[1]
}

// codeFor is the code that the page of the command line gives to whom the issuer says this of.
func (p *attended) codeFor(says map[string]any) string {
	p.t.Helper()
	c, _ := p.browser("noor")
	p.idp.mu.Lock()
	p.idp.says = maps.Clone(says)
	p.idp.mu.Unlock()
	if res, err := c.Get(p.url + "/login?return=" + server.Prefix + "/me"); err != nil {
		p.t.Fatal(err)
	} else {
		_ = res.Body.Close()
	}
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/cli", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Origin", p.url)
	res, err := c.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	page, _ := io.ReadAll(res.Body)
	code := regexp.MustCompile(`vdc_[0-9A-Za-z_-]+`).FindString(string(page))
	if code == "" {
		p.t.Fatalf("the page gives no code: %s %s", res.Status, page)
	}
	return code
}

// wordsOf are the words of a line as a shell reads them that has quotes and nothing else.
func wordsOf(line string) (out []string) {
	for _, w := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
		out = append(out, strings.Trim(w, "'"))
	}
	return out
}
