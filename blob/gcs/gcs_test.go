package gcs

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"verdict"
	"verdict/blob"
	"verdict/blob/blobtest"
)

const bucketName = "evidence"

// world answers as the JSON API of Google Cloud Storage does, as far as this driver asks.
type world struct {
	*httptest.Server
	blobtest.Objects
	before blobtest.Before
	t      *testing.T
}

func newWorld(t *testing.T, now func() time.Time) *world {
	w := &world{t: t, Objects: blobtest.Objects{Now: now}}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *world) open(t *testing.T, prefix string, max int64) blob.Store {
	t.Helper()
	s, err := Open(t.Context(), Options{
		Bucket: bucketName, Prefix: prefix, Endpoint: w.URL, MaxSize: max,
		Tokens: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "pass"}),
		Wait:   func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refuse(w http.ResponseWriter, _ *http.Request, status int, reason string) {
	message := reason
	if reason == "noSuchBucket" { // Google has one reason for both, and says which in words
		reason, message = "notFound", "The specified bucket does not exist."
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": status, "message": message, "errors": []map[string]string{{"reason": reason, "message": message}},
	}})
}

func resource(o blobtest.StoredObject) map[string]string {
	return map[string]string{
		"kind": "storage#object", "name": o.Name, "size": strconv.Itoa(len(o.Bytes)),
		"generation": strconv.FormatInt(o.Generation, 10), "timeCreated": o.Put.Format(time.RFC3339Nano),
	}
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if w.before != nil && w.before(rw, r) {
		return
	}
	if got := r.Header.Get("Authorization"); got != "Bearer pass" {
		w.t.Errorf("%s %s with Authorization %q", r.Method, r.URL, got)
	}
	const objects = "/storage/v1/b/" + bucketName + "/o"
	q := r.URL.Query()
	if r.Method == http.MethodPost && r.URL.Path == "/upload"+objects {
		w.insert(rw, r, q)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, objects)
	switch {
	case !ok:
		refuse(rw, r, http.StatusNotFound, "noSuchBucket")
	case name == "" && r.Method == http.MethodGet:
		w.list(rw, q)
	case r.Method == http.MethodDelete:
		generation, err := strconv.ParseInt(q.Get("ifGenerationMatch"), 10, 64)
		if err != nil {
			w.t.Error("a delete without condition")
		}
		switch there, gone := w.Delete(name[1:], generation); {
		case gone:
			rw.WriteHeader(http.StatusNoContent)
		case there:
			refuse(rw, r, http.StatusPreconditionFailed, "conditionNotMet")
		default:
			refuse(rw, r, http.StatusNotFound, "notFound")
		}
	default:
		o, there := w.Read(name[1:])
		if !there {
			refuse(rw, r, http.StatusNotFound, "notFound")
			return
		}
		if q.Get("alt") == "media" {
			rw.Write(o.Bytes)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		json.NewEncoder(rw).Encode(resource(o))
	}
}

func (w *world) insert(rw http.ResponseWriter, r *http.Request, q url.Values) {
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || q.Get("uploadType") != "multipart" {
		refuse(rw, r, http.StatusBadRequest, "invalid")
		return
	}
	parts := multipart.NewReader(r.Body, parameters["boundary"])
	var about struct{ Name, Crc32c string }
	head, err := parts.NextPart()
	if err == nil {
		err = json.NewDecoder(head).Decode(&about)
	}
	var b []byte
	body, e := parts.NextPart()
	if e == nil {
		b, e = io.ReadAll(body)
	}
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	if err != nil || e != nil || about.Crc32c != base64.StdEncoding.EncodeToString(sum) {
		refuse(rw, r, http.StatusBadRequest, "invalid")
		return
	}
	o, written := w.Write(about.Name, b, q.Get("ifGenerationMatch") == "0")
	if !written {
		refuse(rw, r, http.StatusPreconditionFailed, "conditionNotMet")
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	json.NewEncoder(rw).Encode(resource(o))
}

func (w *world) list(rw http.ResponseWriter, q url.Values) {
	page, next := w.Page(q.Get("prefix"), q.Get("pageToken"), 250)
	items := []map[string]string{}
	for _, o := range page {
		items = append(items, resource(o))
	}
	rw.Header().Set("Content-Type", "application/json")
	json.NewEncoder(rw).Encode(map[string]any{"items": items, "nextPageToken": next})
}

func TestSuite(t *testing.T) {
	var w *world
	blobtest.Run(t, blobtest.Driver{
		Open: func(t *testing.T, now func() time.Time, max int64) blob.Store {
			w = newWorld(t, now)
			return w.open(t, "team/ledger", max)
		},
		Damage: func(_ *testing.T, _ blob.Store, d verdict.Digest) {
			w.Damage("team/ledger/sha256/" + d.Hex()[:2] + "/" + d.Hex())
		},
	})
}

func TestRemote(t *testing.T) {
	blobtest.RunRemote(t, blobtest.Remote{
		Open: func(t *testing.T, before blobtest.Before) blob.Store {
			w := newWorld(t, time.Now)
			w.before = before
			return w.open(t, "", 0)
		},
		Refuse: refuse,
		Denied: "forbidden", NoBucket: "noSuchBucket", Busy: "rateLimitExceeded",
		Rights: [4]string{"storage.objects.create", "storage.objects.get", "storage.objects.get", "storage.objects.list"},
	})
}

// A bucket with a retention policy keeps what it has: that is no failure, as long as what
// it has is right.
func TestAHeldBlobIsThereAlready(t *testing.T) {
	w := newWorld(t, time.Now)
	s := w.open(t, "", 0)
	d, err := s.Put(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodDelete && (r.Method != http.MethodPost || r.URL.Query().Has("ifGenerationMatch")) {
			return false
		}
		refuse(rw, r, http.StatusForbidden, "retentionPolicyNotMet")
		return true
	}
	if _, err := s.Put(t.Context(), []byte("x")); err != nil {
		t.Errorf("Put again: %v", err)
	}
	if gone, err := s.Delete(t.Context(), d, time.Now().Add(time.Hour)); gone || err != nil {
		t.Errorf("Delete: %v, %v", gone, err)
	}
	w.Damage("sha256/" + d.Hex()[:2] + "/" + d.Hex())
	if _, err := s.Put(t.Context(), []byte("x")); err == nil {
		t.Error("a damaged blob that cannot be repaired counts as stored")
	}
}

// An answer that lacks its generation could not be deleted under a condition.
func TestAnAnswerWithoutGenerationIsRefused(t *testing.T) {
	w := newWorld(t, time.Now)
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			t.Error("it was deleted all the same")
		}
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprint(rw, `{"name": "x", "size": "1", "timeCreated": "2020-01-01T00:00:00Z"}`)
		return true
	}
	if gone, err := w.open(t, "", 0).Delete(t.Context(), blob.DigestOf([]byte("x")), time.Now()); gone || err == nil {
		t.Errorf("Delete: %v, %v", gone, err)
	}
}
