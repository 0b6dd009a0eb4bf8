package azblob

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"verdict"
	"verdict/blob"
	"verdict/blob/blobtest"
)

const containerName = "evidence"

// world answers as Azure Blob Storage does, as far as this driver asks.
type world struct {
	*httptest.Server
	blobtest.Objects
	before blobtest.Before
	t      *testing.T
}

func newWorld(t *testing.T, now func() time.Time) *world {
	w := &world{t: t, Objects: blobtest.Objects{Now: now}}
	w.Server = httptest.NewTLSServer(w)
	t.Cleanup(w.Close)
	return w
}

// token is a credential that needs no directory.
type token struct{}

func (token) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: strings.Join(o.Scopes, " "), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func (w *world) open(t *testing.T, prefix string, max int64) blob.Store {
	t.Helper()
	s, err := Open(Options{
		Account: "acme", Container: containerName, Prefix: prefix, Endpoint: w.URL, Credential: token{}, MaxSize: max,
		Transport: w.Client().Transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refuse(w http.ResponseWriter, _ *http.Request, status int, code string) {
	w.Header().Set("X-Ms-Error-Code", code)
	w.WriteHeader(status)
}

func tag(o blobtest.StoredObject) string { return fmt.Sprintf("\"0x%d\"", o.Generation) }

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if w.before != nil && w.before(rw, r) {
		return
	}
	if got := r.Header.Get("Authorization"); got != "Bearer https://storage.azure.com/.default" || r.Header.Get("X-Ms-Version") == "" {
		w.t.Errorf("%s %s with Authorization %q", r.Method, r.URL, got)
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/"+containerName)
	if !ok {
		refuse(rw, r, http.StatusNotFound, "ContainerNotFound")
		return
	}
	if name == "" {
		w.list(rw, r.URL.Query())
		return
	}
	name = name[1:]
	switch r.Method {
	case http.MethodPut:
		w.put(rw, r, name)
	case http.MethodDelete:
		var generation int64
		fmt.Sscanf(r.Header.Get("If-Match"), "\"0x%d\"", &generation)
		switch there, gone := w.Delete(name, generation); {
		case gone:
			rw.WriteHeader(http.StatusAccepted)
		case there:
			refuse(rw, r, http.StatusPreconditionFailed, "ConditionNotMet")
		default:
			refuse(rw, r, http.StatusNotFound, "BlobNotFound")
		}
	default:
		o, there := w.Read(name)
		if !there {
			refuse(rw, r, http.StatusNotFound, "BlobNotFound")
			return
		}
		rw.Header().Set("ETag", tag(o))
		rw.Header().Set("Last-Modified", o.Put.Format(http.TimeFormat))
		rw.Header().Set("Content-Length", fmt.Sprint(len(o.Bytes)))
		if r.Method == http.MethodGet {
			rw.Write(o.Bytes)
		}
	}
}

func (w *world) put(rw http.ResponseWriter, r *http.Request, name string) {
	b, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("X-Ms-Blob-Type") != "BlockBlob" {
		refuse(rw, r, http.StatusBadRequest, "InvalidInput")
		return
	}
	o, written := w.Write(name, b, r.Header.Get("If-None-Match") == "*")
	if !written {
		refuse(rw, r, http.StatusConflict, "BlobAlreadyExists")
		return
	}
	rw.Header().Set("ETag", tag(o))
	rw.WriteHeader(http.StatusCreated)
}

func (w *world) list(rw http.ResponseWriter, q url.Values) {
	type properties struct {
		LastModified string `xml:"Last-Modified"`
		Etag         string
		Length       int `xml:"Content-Length"`
	}
	type item struct {
		Name       string
		Properties properties
	}
	var out struct {
		XMLName    struct{} `xml:"EnumerationResults"`
		Blobs      []item   `xml:"Blobs>Blob"`
		NextMarker string
	}
	page, next := w.Page(q.Get("prefix"), q.Get("marker"), 250)
	for _, o := range page {
		out.Blobs = append(out.Blobs, item{o.Name, properties{o.Put.Format(http.TimeFormat), tag(o), len(o.Bytes)}})
	}
	out.NextMarker = next
	rw.Header().Set("Content-Type", "application/xml")
	if err := xml.NewEncoder(rw).Encode(out); err != nil {
		w.t.Error(err)
	}
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
		Denied: "AuthorizationPermissionMismatch", NoBucket: "ContainerNotFound", Busy: "ServerBusy",
		Rights: [4]string{"containers/blobs/write", "containers/blobs/read", "containers/blobs/read", "containers/blobs/read"},
	})
}

// A container under an immutability policy keeps what it has: that is no failure, as long
// as what it has is right.
func TestAHeldBlobIsThereAlready(t *testing.T) {
	w := newWorld(t, time.Now)
	s := w.open(t, "", 0)
	d, err := s.Put(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut && r.Method != http.MethodDelete || r.Header.Get("If-None-Match") != "" {
			return false
		}
		refuse(rw, r, http.StatusConflict, "BlobImmutableDueToPolicy")
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

func TestPlainHTTPGetsNoToken(t *testing.T) {
	w := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("asked with %q", r.Header.Get("Authorization"))
	}))
	defer w.Close()
	s, err := Open(Options{Account: "acme", Container: containerName, Endpoint: w.URL, Credential: token{}})
	if err == nil {
		_, err = s.Put(t.Context(), []byte("x"))
	}
	if err == nil {
		t.Error("a token goes over plain http")
	}
}
