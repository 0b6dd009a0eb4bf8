package s3

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"verdict"
	"verdict/blob"
	"verdict/blob/blobtest"
)

const bucketName = "evidence"

// world is an S3 in this process.
type world struct {
	*httptest.Server
	backend gofakes3.Backend
	before  blobtest.Before
	// ignores: the store knows no conditional delete.
	ignores bool
}

// clock lets the store's time be that of a case.
type clock func() time.Time

func (c clock) Now() time.Time                  { return c() }
func (c clock) Since(t time.Time) time.Duration { return c().Sub(t) }

func newWorld(t *testing.T, now func() time.Time) *world {
	w := &world{backend: s3mem.New(s3mem.WithTimeSource(clock(now)))}
	if err := w.backend.CreateBucket(bucketName); err != nil {
		t.Fatal(err)
	}
	// The real date is in the signature, the case's in the objects.
	inner := gofakes3.New(w.backend, gofakes3.WithTimeSource(clock(now)), gofakes3.WithTimeSkewLimit(0)).Server()
	var deleting sync.Mutex // the fake compares no tags when it deletes: that is done here
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.before != nil && w.before(rw, r) {
			return
		}
		if r.Method == http.MethodDelete || r.Method == http.MethodPut {
			deleting.Lock()
			defer deleting.Unlock()
		}
		if want := r.Header.Get("If-Match"); r.Method == http.MethodDelete && want != "" && !w.ignores {
			head := httptest.NewRecorder()
			inner.ServeHTTP(head, httptest.NewRequest(http.MethodHead, r.URL.String(), nil))
			if head.Code != http.StatusOK || head.Header().Get("ETag") != want {
				http.Error(rw, "<Error><Code>PreconditionFailed</Code></Error>", http.StatusPreconditionFailed)
				return
			}
		}
		inner.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *world) open(t *testing.T, o Options) blob.Store {
	t.Helper()
	o.Bucket, o.Region, o.Endpoint = bucketName, "eu-central-1", w.URL
	o.Keys = credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSuite(t *testing.T) {
	var w *world
	blobtest.Run(t, blobtest.Driver{
		Open: func(t *testing.T, now func() time.Time, max int64) blob.Store {
			w = newWorld(t, now)
			return w.open(t, Options{Prefix: "team/ledger", MaxSize: max})
		},
		Damage: func(t *testing.T, _ blob.Store, d verdict.Digest) {
			name := "team/ledger/sha256/" + d.Hex()[:2] + "/" + d.Hex()
			o, err := w.backend.GetObject(bucketName, name, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(o.Contents)
			if err != nil {
				t.Fatal(err)
			}
			b[0] ^= 1
			if _, err := w.backend.PutObject(bucketName, name, map[string]string{}, bytes.NewReader(b), int64(len(b)), nil); err != nil {
				t.Fatal(err)
			}
		},
	})
}

func TestRemote(t *testing.T) {
	blobtest.RunRemote(t, blobtest.Remote{
		Open: func(t *testing.T, before blobtest.Before) blob.Store {
			w := newWorld(t, time.Now)
			w.before = before
			return w.open(t, Options{})
		},
		Refuse: func(w http.ResponseWriter, r *http.Request, status int, code string) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(status)
			if r.Method != http.MethodHead {
				io.WriteString(w, "<Error><Code>"+code+"</Code><Message>no</Message></Error>")
			}
		},
		Denied: "AccessDenied", NoBucket: "NoSuchBucket", Busy: "SlowDown",
		Rights: [4]string{"s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:ListBucket"},
	})
}

// Whoever sweeps a store that ignores the condition would lose what is put meanwhile.
func TestAStoreThatComparesNoTagsIsNotSwept(t *testing.T) {
	w := newWorld(t, time.Now)
	w.ignores = true
	s := w.open(t, Options{})
	d, err := s.Put(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	gone, err := s.Delete(t.Context(), d, time.Now().Add(time.Hour))
	if e := verdict.AsError(err); gone || e == nil || !strings.Contains(e.Remedy, "do not sweep") {
		t.Errorf("Delete: %v, %v", gone, err)
	}
	if _, err := s.Get(t.Context(), d); err != nil {
		t.Errorf("the blob is lost: %v", err)
	}
}

func TestARegionIsNeeded(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	_, err := Open(t.Context(), Options{Bucket: "b", Keys: aws.AnonymousCredentials{}})
	if e := verdict.AsError(err); e == nil || !strings.Contains(e.Remedy, "?region=REGION") {
		t.Errorf("Open: %v", err)
	}
}
