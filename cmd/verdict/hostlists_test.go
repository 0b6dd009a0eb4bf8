package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"verdict"
)

// A list that is too long for an answer says how many it does not show: who takes it for all of
// them overlooks the rest.
func TestAListThatIsCutSaysSo(t *testing.T) {
	p := newAttended(t, speaking)
	dana, mei := p.signIn("dana", "developers"), p.signIn("mei", "securities")
	waits := p.asking()
	rule := waits.Reasons[slices.IndexFunc(waits.Reasons, func(r verdict.Reason) bool { return r.Effect == verdict.EffectReview })].Rule
	for _, why := range []string{"no fix", "no fix yet"} {
		ask := fmt.Sprintf(`{"rule":%q,"service":"payments-api","environments":["production"],"digests":[%q],"rationale":%q,"owner":"payments","expires":"5d"}`, rule, appDigest, why)
		var asked, ended exceptionStepped
		p.takes(dana, "/exceptions", ask, &asked)
		p.takes(mei, "/exceptions/"+asked.Exception.ID+"/revoke", `{"rationale":"in other words"}`, &ended)
	}
	answer := func(path string) (status int, text string, notShown, rows int) {
		status, text = p.asks(mei, "GET", path, "")
		var d map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal(d["not_shown"], &notShown)
		for _, v := range d {
			var list []json.RawMessage
			if json.Unmarshal(v, &list) == nil {
				rows += len(list)
			}
		}
		return status, text, notShown, rows
	}
	for _, path := range []string{"/exceptions", "/people"} {
		_, whole, none, all := answer(path)
		if none != 0 || all < 2 || strings.Contains(whole, "not_shown") {
			t.Fatalf("%s: %d rows, and %d are not shown: %s", path, all, none, whole)
		}
		p.host.most = 1
		status, text, left, rows := answer(path)
		p.host.most = 0
		if status != 200 || left == 0 || left+rows != all {
			t.Errorf("%s: of %d rows %d are there and %d are said to be left out: %d %s", path, all, rows, left, status, text)
		}
	}
}
