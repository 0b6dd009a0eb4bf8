package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"verdict/ledger"
	"verdict/server/wire"
)

// tampering stands between a command and its server, and changes what the server answers.
type tampering struct {
	to     *httputil.ReverseProxy
	hides  bool                                  // blobs are not there
	change func(path string, body []byte) []byte // nil: nothing is changed; it may panic to hang up
}

func (b *tampering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.hides && strings.HasPrefix(r.URL.Path, wire.Prefix+"/blobs/") {
		http.NotFound(w, r)
		return
	}
	if b.change == nil {
		b.to.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	b.to.ServeHTTP(answer, r)
	body := b.change(r.URL.Path, answer.Body.Bytes())
	h := w.Header()
	for k, v := range answer.Header() {
		h[k] = v
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body) // who has hung up is told nothing
}

// through puts somebody between a typist and his server.
func (p *typist) through() *tampering {
	p.t.Helper()
	last := p.vars[len(p.vars)-2]
	to, err := url.Parse(strings.TrimPrefix(last, "VERDICT_SERVER="))
	if err != nil || !strings.HasPrefix(last, "VERDICT_SERVER=") {
		p.t.Fatalf("%s: %v", last, err)
	}
	b := &tampering{to: httputil.NewSingleHostReverseProxy(to)}
	h := httptest.NewServer(b)
	p.t.Cleanup(h.Close)
	p.vars[len(p.vars)-2] = "VERDICT_SERVER=" + h.URL
	return b
}

// altered changes an answer of a path, as JSON.
func altered[T any](t *testing.T, path string, change func(*T)) func(string, []byte) []byte {
	return func(at string, body []byte) []byte {
		if at != path {
			return body
		}
		var x T
		if err := json.Unmarshal(body, &x); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		change(&x)
		out, err := json.Marshal(x)
		if err != nil {
			t.Error(err)
		}
		return out
	}
}

// An auditor verifies the log of a server over the network. What he is told of one that lies,
// breaks off or never comes to an end, he acts on.
func TestAServerThatLiesAboutItsLogIsFoundOut(t *testing.T) {
	p := typistWith(t, "gate")
	for _, words := range []string{"ci", "attest sbom ../bom.json --subject ../app.tar"} {
		if code, _, talk := p.types(words); code != 0 {
			t.Fatalf("%s: %d %s", words, code, talk)
		}
	}
	p.serveIn()
	b := p.through()
	if code, out, talk := p.as("auditor", "log verify"); code != 1 || !strings.Contains(out, "for the first time") {
		t.Fatalf("%d %s %s", code, out, talk)
	}
	if code, out, talk := p.as("auditor", "log verify"); code != 0 || !strings.Contains(out, "The log holds.") {
		t.Fatalf("%d %s %s", code, out, talk)
	}
	kept, err := os.ReadFile(filepath.Join(p.dir, "home", ".local", "state", "verdict", "seen.json"))
	if err != nil {
		t.Fatal(err)
	}
	const bodies, epochs = wire.Prefix + "/log/bodies", wire.Prefix + "/log/epochs"
	none := func(_ string, body []byte) []byte { return body }
	for _, tt := range []struct {
		name, role string
		change     func(path string, body []byte) []byte
		code       int
		says       string
	}{
		{"a body is another one", "auditor", altered(t, bodies, func(x *wire.Bodies) { x.Bodies[2].Payload = append([]byte(" "), x.Bodies[2].Payload...) }), 3, "entry 2"},
		{"a row lies about its service", "auditor", altered(t, bodies, func(x *wire.Bodies) { x.Bodies[2].Entry.Context.Service = "other" }), 3, "column service"},
		{"an entry is withheld", "auditor", altered(t, bodies, func(x *wire.Bodies) { x.Bodies = append(x.Bodies[:2], x.Bodies[3:]...) }), 3, "entry 2 is gone from the server"},
		{"entries come twice", "auditor", altered(t, bodies, func(x *wire.Bodies) { x.Bodies = append(x.Bodies, x.Bodies...) }), 3, "gives entry 0 among those"},
		{"a tile is another one", "auditor", altered(t, epochs+"/1/tile", func(x *wire.Tile) { x.Tile[64]++ }), 3, "the tile over entry 2 was changed"},
		{"the key is another one", "auditor", altered(t, epochs, func(x *ledger.Shown) {
			x.Epochs[0].Key = "other.example+a4a9d2ea+AQl1YGCSkTCzSOYqB5xJA1ozN8XYyqOv1Q/TWxkhZOwN"
		}), 3, "verifier key"},
		{"a checkpoint is no checkpoint", "auditor", func(path string, body []byte) []byte {
			if path == "/log/checkpoint" {
				return []byte("nonsense\n")
			}
			return body
		}, 3, "serves to everybody"},
		{"what entries rest on is replaced", "auditor", func(path string, body []byte) []byte {
			if strings.HasPrefix(path, wire.Prefix+"/blobs/") {
				return append(body, 'x')
			}
			return body
		}, 3, "gives other bytes"},
		{"a page never comes to an end", "auditor", altered(t, bodies, func(x *wire.Bodies) { x.Bodies, x.Next = nil, "0" }), 1, "goes on at"},
		{"an answer is endless", "auditor", func(path string, body []byte) []byte {
			if path == bodies {
				return append(body, make([]byte, wire.MaxBody)...)
			}
			return body
		}, 1, "longer than"},
		{"it breaks off", "auditor", func(path string, body []byte) []byte {
			if path == bodies {
				panic(http.ErrAbortHandler)
			}
			return body
		}, 1, "the entries from 0 on could not be checked"},
		{"what lies outside of the roles", "outsider", none, 1, "outside of your scope"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.t, b.change = t, tt.change
			code, out, talk := p.as(tt.role, "log verify")
			if code != tt.code || !strings.Contains(strings.Join(strings.Fields(p.last+talk), " "), tt.says) || strings.Contains(out, "The log holds") {
				t.Errorf("%d %s %s", code, out, talk)
			}
			now, err := os.ReadFile(filepath.Join(p.dir, "home", ".local", "state", "verdict", "seen.json"))
			if tt.code == 3 && (err != nil || string(now) != string(kept)) {
				t.Errorf("what does not hold is remembered: %v %s", err, now)
			}
		})
	}
	p.t, b.change = t, nil
	if code, out, talk := p.as("outsider", "log export --out ../part"); code != 1 || !strings.Contains(out, "outside of your roles") {
		t.Errorf("an export of a part: %d %s %s", code, out, talk)
	}
	b.change = altered(t, bodies, func(x *wire.Bodies) {
		for i := range x.Bodies {
			if x.Bodies[i].Entry == nil {
				x.Bodies[i].Entry = &wire.Entry{Entry: ledger.Entry{Index: x.Bodies[i].Index, Pruned: true, Tombstone: x.Bodies[i].Index + 1}}
			}
		}
	})
	if code, out, talk := p.as("outsider", "log export --out ../pruned"); code != 1 || !strings.Contains(out, "without a body") {
		t.Errorf("an export of what the server says was pruned: %d %s %s", code, out, talk)
	}
	b.change, b.hides = nil, true
	if code, out, talk := p.as("auditor", "log verify"); code != 3 || !strings.Contains(out, "has no blob") {
		t.Errorf("what entries rest on is gone: %d %s %s", code, out, talk)
	}
	if code, out, talk := p.as("outsider", "log verify"); code != 1 || !strings.Contains(out, "could not be checked") {
		t.Errorf("what entries rest on is gone, or kept from him: %d %s %s", code, out, talk)
	}
	b.hides = false
	if code, out, talk := p.as("auditor", "log verify -o json"); code != 0 || !strings.Contains(out, `"server": "http`) {
		t.Errorf("%d %s %s", code, out, talk)
	}
}
