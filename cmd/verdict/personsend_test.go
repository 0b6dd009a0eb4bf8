package main

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Persons do the same and read the same whether their own key signs or a server does where they
// are signed in: whoever learned it one way is not surprised by the other.
func TestPersonsReadTheSameSignedInAndWithAKey(t *testing.T) {
	alone, with := unattended(t, speaking), newAttended(t, speaking)
	for _, words := range []string{"people enroll noor", "people enroll mei --as noor", "people enroll dana --as noor", "people enroll ben --as dana"} {
		alone.does(0, words)
	}
	with.sets("VERDICT_SERVER="+with.url, "VERDICT_TOKEN=env:SECRET")
	id := regexp.MustCompile(`\b[axb]-[0-9a-z]{10,}`)
	key := regexp.MustCompile(` --as \w+`) // that a command names a key is what differs
	var last, there string                 // the id that the last step gave
	for _, tt := range []struct {
		who, role, words string
		code             int
	}{
		{"noor", "approvers", "approve DECISION --dry-run", 0},
		{"noor", "approvers", "approve DECISION --scope r1 --rationale looked --expires 12h", 0},
		{"mei", "approvers", "approve --withdraw ID", 4},
		{"noor", "approvers", "approve --withdraw ID", 0},
		{"noor", "approvers", "approve --withdraw ID", 1},
		{"ben", "approvers", "approve DECISION --scope r1 --rationale looked --expires 12h", 4},
		{"noor", "approvers", "approve DECISION --scope r1 --rationale looked --expires 72h", 4},
		{"noor", "approvers", "approve DECISION --rationale looked", 2},
		{"noor", "approvers", "approve d-0000000000 --scope r1 --rationale looked --expires 12h", 1},
		{"mei", "approvers", "reject DECISION --rationale no", 0},
		{"noor", "approvers", "approve DECISION --dry-run", 0},
		{"mei", "approvers", "approve --withdraw ID -o text", 0},
		{"dana", "developers", "exception add --rule deploy.gate.none --service payments-api --env production --digest ../app.tar --rationale r --owner payments --expires 5d", 1},
		{"dana", "developers", "exception add --rule deploy.gate.first --service payments-api --env production --digest ../app.tar --rationale r --owner payments --expires 5d", 5},
		{"dana", "securities", "exception approve ID", 4},
		{"mei", "securities", "exception approve ID --note agreed", 0},
		{"noor", "securities", "exception revoke ID --rationale out", 0},
		{"noor", "securities", "exception revoke ID --rationale out", 1},
		{"mei", "approvers", "break-glass open ../app.tar --env production --service payments-api --incident INC-7 --rationale down --expires 9h", 4},
		{"mei", "approvers", "break-glass open ../app.tar --env production --service payments-api --incident INC-7 --rationale down --expires 1h", 0},
		{"mei", "approvers", "break-glass review ID --rationale needed", 4},
		{"ben", "approvers", "break-glass review ID --rationale needed", 0},
	} {
		t.Run(tt.who+" "+tt.words, func(t *testing.T) {
			alone.t, with.t = t, t
			fill := func(p *attended, id string) string {
				return strings.NewReplacer("DECISION", p.decision, "ID", id).Replace(tt.words)
			}
			code, out, talk := alone.types(fill(alone, last) + " --as " + tt.who)
			secret := with.signIn(tt.who, tt.role)
			with.sets("SECRET=" + secret)
			thereCode, thereOut, thereTalk := with.types(fill(with, there))
			if code != tt.code || thereCode != tt.code {
				t.Errorf("with a key it ends with %d, signed in with %d, want %d:\n%s\n%s", code, thereCode, tt.code, talk, thereTalk)
			}
			for _, p := range []*attended{alone, with} {
				if found := id.FindString(p.last); found != "" && p == alone {
					last = found
				} else if found != "" {
					there = found
				}
			}
			for _, x := range [][2]string{{out, thereOut}, {alone.plain(talk), with.plain(thereTalk)}} {
				a, b := key.ReplaceAllString(x[0], ""), strings.ReplaceAll(key.ReplaceAllString(x[1], ""), " (signed in; the server signed)", "")
				if i := differ(entryless(a), entryless(b)); i >= 0 {
					t.Errorf("with a key:\n%s\nsigned in:\n%s", a, b)
				}
			}
		})
	}
	alone.t, with.t = t, t
}

// entryless is a text without the places in the log, which keys that were enrolled moved.
func entryless(s string) string {
	return regexp.MustCompile(`entry \d+`).ReplaceAllString(strings.Join(strings.Fields(s), " "), "entry N")
}

// Who has signed in with verdict login needs neither a key nor a token; who has nothing is told
// both ways, and nothing is recorded.
func TestALoginIsEnoughToApprove(t *testing.T) {
	p := newAttended(t, speaking)
	words := "approve " + p.decision + " --scope r1 --rationale looked --expires 12h"
	if code, _, talk := p.types(words); code != 4 || !strings.Contains(talk, "--as KEY") || !strings.Contains(talk, "verdict login --server URL") {
		t.Errorf("alone: %d %s", code, talk)
	}
	p.sets("HOME="+t.TempDir(), "VERDICT_SERVER="+p.url)
	if code, _, talk := p.types(words); code != 4 || !strings.Contains(talk, "verdict login --server") || !strings.Contains(talk, "people enroll") {
		t.Errorf("without a login: %d %s", code, talk)
	}
	browser, _ := p.browser("noor", "approvers")
	r, err := http.NewRequestWithContext(t.Context(), "POST", p.url+"/cli", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", p.url)
	res, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	p.sets("CODE=" + regexp.MustCompile(`vdc_[A-Za-z0-9_-]+`).FindString(string(page)))
	p.does(0, "login --once env:CODE")
	if out := p.does(0, words); !strings.Contains(out, "APPROVED") {
		t.Errorf("it says %s", out)
	}
}
