package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

func review(object string) string {
	return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-7","kind":{"group":"","version":"v1","kind":"Pod"},"namespace":"web","operation":"CREATE","userInfo":{"username":"jane@acme.example"},"object":` + object + `}}`
}

// An API server takes an answer for its own only when the uid is that of its question.
func TestAClusterIsAnsweredOverHTTP(t *testing.T) {
	b := newBed(t, "block")
	b.log.decided("d-good", "prod", "a", verdict.Allow)
	h := b.caughtUp(t).Handler()
	post := func(path, body string) (int, reviewed, string) {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var out reviewed
		_ = json.Unmarshal(w.Body.Bytes(), &out)
		return w.Code, out, w.Body.String()
	}
	code, out, body := post("/admission/aks", review(podOf(image("a"))))
	if code != 200 || !out.Response.Allowed || out.Response.UID != "u-7" || out.APIVersion != reviewVersion || out.Kind != reviewKind || out.Response.AuditAnnotations["decision"] != "d-good" {
		t.Errorf("%d %s", code, body)
	}
	code, out, body = post("/admission/aks", review(podOf(image("b"))))
	if code != 200 || out.Response.Allowed || out.Response.Status.Code != 403 || !strings.Contains(out.Response.Status.Message, "verdict gate --env prod") {
		t.Errorf("%d %s", code, body)
	}
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	for name, c := range map[string]struct {
		path, body string
		code       int
		says       string
	}{
		"no cluster":              {"/admission/", review(`{}`), 404, "/admission/CLUSTER"},
		"more than a cluster":     {"/admission/aks/x", review(`{}`), 404, "/admission/CLUSTER"},
		"a cluster nobody names":  {"/admission/other", review(podOf(image("a"))), 404, "kubernetes: [{cluster: other"},
		"an older version":        {"/admission/aks", strings.Replace(review(`{}`), "io/v1", "io/v1beta1", 1), 400, "v1beta1"},
		"an answer":               {"/admission/aks", strings.Replace(review(`{}`), "request", "response", 1), 400, "no request"},
		"no uid":                  {"/admission/aks", strings.Replace(review(`{}`), "u-7", "", 1), 400, "uid"},
		"no JSON":                 {"/admission/aks", `{"apiVersion":`, 400, "no review"},
		"an object that is none":  {"/admission/aks", review(`[1]`), 400, "no JSON object"},
		"one that is nested deep": {"/admission/aks", review(deep), 400, "100 levels"},
		"one of 4 MiB":            {"/admission/aks", review(`{"x":"` + strings.Repeat("x", 4<<20) + `"}`), 413, "3 MiB"},
	} {
		if code, _, body := post(c.path, c.body); code != c.code || !strings.Contains(body, c.says) || !strings.Contains(body, "remedy") {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	if s := b.Stats(); s.LetIn != 1 || s.Denied != 1 || s.Unread != 10 || s.Decisions != 1 || s.Lag != 0 {
		t.Errorf("what operators see: %+v", s)
	}
	for method, kind := range map[string]string{"GET": "application/json", "POST": "text/plain"} {
		r := httptest.NewRequest(method, "/admission/aks", strings.NewReader(review(`{}`)))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed && w.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%s %s: %d", method, kind, w.Code)
		}
	}
}

// Between a promotion and the rollout that follows it lies one command: an answer that hears
// of it a minute later refuses what was let in.
func TestWhatIsDecidedIsKnownAtOnceAndAnotherMapAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, "block")
		b.o.Now = time.Now
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		synctest.Wait()
		for i, c := range []string{"a", "b", "c"} {
			b.log.decided(fmt.Sprint("d-", i), "prod", c, verdict.Allow)
			synctest.Wait()
			if a := b.asks(t, creates("web", image(c))); !a.Allowed || a.Position != int64(i+1) {
				t.Errorf("%+v", a)
			}
		}
		b.m = loaded(t, "block")
		prod := b.m.Environments["prod"]
		prod.Kubernetes = nil
		b.m.Environments["prod"] = prod
		b.log.happened(verdict.KindMapRelease)
		synctest.Wait()
		if a := b.asks(t, creates("web", image("9"))); !a.Allowed || a.Environment != "" {
			t.Errorf("the map that was released is not asked: %+v", a)
		}
		time.Sleep(time.Hour) // in which nothing happens, and the store answers
		if err := b.Ready(); err != nil {
			t.Error(err)
		}
		b.log.breaks(errDown)
		time.Sleep(MaxLag + 2*time.Second)
		if b.Ready() == nil {
			t.Error("a store that does not answer is not noticed")
		}
		b.log.breaks(nil)
		time.Sleep(time.Second)
		if err := b.Ready(); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The evidence of what came in: who loses it cannot tell who let what into production.
func TestAnswersAreRecordedOnceAMinuteTogether(t *testing.T) {
	key, err := evidence.CreateKey(filepath.Join(t.TempDir(), "k.key"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		l := &kept{}
		b := newBed(t, "block")
		b.o.Now, b.o.Ledger, b.o.Signer, b.o.Actor = time.Now, l, key, "key:x"
		b.records = newRecorder(b.o)
		b.log.decided("d-good", "prod", "a", verdict.Allow)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		synctest.Wait()
		h := b.Handler()
		send := func(n int, object string, dry bool) {
			text := review(object)
			if dry {
				text = strings.Replace(text, `"uid"`, `"dryRun":true,"uid"`, 1)
			}
			for range n {
				r := httptest.NewRequest("POST", "/admission/aks", strings.NewReader(text))
				r.Header.Set("Content-Type", "application/json")
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
		send(5, podOf(image("a")), true)
		time.Sleep(recordEvery + time.Second)
		if len(l.said) != 0 {
			t.Fatalf("a dry run was recorded: %+v", l.said)
		}
		send(40, podOf(image("a")), false)
		send(2, podOf(image("b")), false)
		l.down.Store(true)
		time.Sleep(recordEvery)
		l.down.Store(false)
		time.Sleep(recordEvery)
		send(1, podOf(image("c")), false)
		stop()
		<-done
		if len(l.said) != 2 {
			t.Fatalf("%d records", len(l.said))
		}
		var first, last Record
		if err := l.said[0].Decode(&first); err != nil || l.said[1].Decode(&last) != nil {
			t.Fatal(err)
		}
		if len(first.Rows) != 2 || first.Rows[0].Count != 40 || first.Rows[0].Decision != "d-good" || !first.Rows[0].Allowed || first.Rows[1].Count != 2 || first.Rows[1].Allowed || first.Environment != "prod" || first.Cluster != "aks" || first.Rows[0].Requester != "jane" {
			t.Errorf("%+v", first)
		}
		if len(last.Rows) != 1 || last.Rows[0].Digest != digest("c") {
			t.Errorf("what was answered before the end: %+v", last)
		}
		if c, _ := l.said[0].Context(); l.said[0].Kind() != verdict.KindAdmission || len(l.said[0].Subjects) != 3 || c.Environment != "prod" || c.Point != "deploy.admission" {
			t.Errorf("%+v %+v", l.said[0].Subjects, c)
		}
	})
}

// A flood of different pods must not take the memory that the answers need.
func TestWhatIsCountedIsBounded(t *testing.T) {
	b := newBed(t, "block").caughtUp(t)
	b.o.Ledger, b.o.Signer = &kept{}, &evidence.KeyFile{}
	r := newRecorder(b.o)
	a := b.asks(t, creates("web", image("9")))
	for i := range maxRows + 500 {
		one := *a
		one.workload = fmt.Sprint("Pod/", i)
		r.add(&one)
	}
	rows, folded := 0, int64(0)
	for _, x := range r.take() {
		rows, folded = rows+len(x.Rows), folded+x.Folded
		if len(x.Rows) > rowsAtOnce {
			t.Errorf("%d rows in one record", len(x.Rows))
		}
	}
	if rows != maxRows || folded != 500 {
		t.Errorf("%d rows and %d folded", rows, folded)
	}
}

// A cluster with a hundred thousand promotions starts again while its nodes wait.
func TestAHundredThousandDecisionsAreReadPageByPage(t *testing.T) {
	b := newBed(t, "block")
	for i := range 2*pageOf + 1 {
		b.log.rows = append(b.log.rows, ledger.SignedDecision{Producer: gateKey, DecisionRow: ledger.DecisionRow{
			ID: fmt.Sprint("d-", i), Index: int64(i), Point: "deploy.gate", Subject: verdict.NewDigest("sha256", fmt.Sprintf("%064x", i)), Environment: "prod", Service: "web", Outcome: verdict.Allow, At: noon,
		}})
	}
	b.log.size = ledger.Position(len(b.log.rows))
	b.caughtUp(t)
	for _, i := range []int{0, pageOf - 1, pageOf, 2 * pageOf} {
		if a := b.asks(t, creates("web", fmt.Sprintf("x@sha256:%064x", i))); !a.Allowed {
			t.Errorf("%d: %+v", i, a)
		}
	}
}

func FuzzReview(f *testing.F) {
	f.Add([]byte(review(podOf(image("a")))))
	f.Add([]byte(review(`{"spec":{"template":{"spec":{"initContainers":[{"image":"x:1"}],"volumes":[{"image":{"reference":"y"}}]}}}}`)))
	f.Add([]byte(review(`{"items":[{"spec":{"containers":[1,"a",null,{"image":7}]}}]}`)))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"UPDATE","object":{},"oldObject":[]}}`))
	b := newBed(f, "block")
	b.log.decided("d-good", "prod", "a", verdict.Allow)
	if err := b.CatchUp(context.Background()); err != nil {
		f.Fatal(err)
	}
	h := b.Handler()
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/admission/aks", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		answered, err := io.ReadAll(w.Body)
		if err != nil || !json.Valid(answered) {
			t.Fatalf("%v %q", err, answered)
		}
		var out reviewed
		if w.Code == 200 && (json.Unmarshal(answered, &out) != nil || out.Response.UID == "" || !out.Response.Allowed && out.Response.Status.Message == "") {
			t.Fatalf("%s", answered)
		}
	})
}

// What names an image is read in one way: by another, a digest that was promoted would stand
// for something else.
func FuzzReference(f *testing.F) {
	for _, s := range []string{image("a"), "nginx", "nginx:1", "localhost:5000/x/y:1@" + string(digest("b")), "a@b@c", "[::1]:5000/x", ":", "@", "x/", "/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := readReference(s)
		if !ok {
			return
		}
		again := r.Name
		if r.Tag != "" {
			again += ":" + r.Tag
		}
		if r.Digest != "" {
			again += "@" + string(r.Digest)
		}
		if again != s || repository(repository(r.Name)) != repository(r.Name) {
			t.Fatalf("%q is read as %q", s, again)
		}
	})
}
