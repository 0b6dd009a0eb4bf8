package server

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
)

// A digest opens nothing: whoever has a part of the services reads what evidence of theirs names,
// and a bill of materials of another team is not there for him, as its evidence is not.
func TestABlobIsReadByWhoReadsWhatNamesIt(t *testing.T) {
	var done atomic.Int64
	s := made(t, Limits{})
	s.o.Auth = known{
		"dev":    people["dev"],
		"shop":   {Actor: "a-shop", Grants: []identity.Grant{{Role: identity.Developer, Scope: identity.Scope{Services: []string{"shop"}, Environments: []string{"*"}}}}},
		"web":    {Actor: "a-web", Grants: []identity.Grant{{Role: identity.Viewer, Scope: identity.Scope{Teams: []string{"web"}, Environments: []string{"*"}}}}},
		"nobody": {Actor: "a-nobody"},
	}
	echo(&done)(s)
	s.o.Whose = whose
	s.LedgerRoutes(LedgerOptions{})
	h := httptestOf(t, &live{Server: s, t: t})
	key, err := evidence.CreateKey(filepath.Join(t.TempDir(), "local.key"))
	d := &door{t: t, ledger: s.o.Ledger, now: time.Now(), key: key}
	d.must(err)
	d.enroll("local", key)
	put := func(text string) verdict.Digest {
		x, err := s.o.Ledger.PutBlob(t.Context(), []byte(text))
		d.must(err)
		return x
	}
	name := func(service string, blob verdict.Digest) {
		about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: service, Digest: verdict.NewDigest("sha256", strings.Repeat("1", 64))}
		x, err := evidence.NewTyped(evidence.StoredBill, []verdict.Subject{about}, verdict.StoredBill{Form: "CycloneDX", Version: "1.6", Encoding: "xml", Digest: blob, Size: 1, Inventory: "unknown"}, verdict.Context{At: d.now, Service: service}, rand.Reader)
		d.must(err)
		b, err := evidence.Sign(t.Context(), x, key)
		d.must(err)
		_, err = s.o.Ledger.Append(t.Context(), b)
		d.must(err)
	}
	shop, bank, both, rules, loose := put("shop"), put("bank"), put("both"), put("rules"), put("loose")
	name("shop", shop)
	name("bank", bank)
	name("bank", both)
	name("shop", both)
	d.record(verdict.KindMapRelease, map[string]any{"action": "map-release", "source": rules}, key)
	for who, may := range map[string]map[verdict.Digest]bool{
		"dev":  {shop: true, bank: true, both: true, rules: true, loose: true},
		"shop": {shop: true, both: true, rules: true},
		"web":  {shop: true, both: true, rules: true},
	} {
		for text, blob := range map[string]verdict.Digest{"shop": shop, "bank": bank, "both": both, "rules": rules, "loose": loose} {
			status, body, _ := ask(t, h, "GET", Prefix+"/blobs/"+string(blob), "", "Authorization: Bearer "+who)
			if may[blob] && (status != 200 || body != text) || !may[blob] && (status != 404 || !strings.Contains(body, "not in your scope")) {
				t.Errorf("%s asks for what %s names: %d %s", who, text, status, body)
			}
		}
	}
	if status, body, _ := ask(t, h, "PUT", Prefix+"/blobs/"+string(sumOf([]byte("new"))), "new", "Authorization: Bearer shop"); status != 200 {
		t.Errorf("who states evidence of a part keeps no bytes: %d %s", status, body)
	}
	if status, _, _ := ask(t, h, "GET", Prefix+"/blobs/"+string(shop), "", "Authorization: Bearer nobody"); status != 403 {
		t.Errorf("who has no role: %d", status)
	}
}
