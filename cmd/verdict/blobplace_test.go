package main

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/rogpeppe/go-internal/testscript"
)

// serveObjects starts an S3 with one bucket: objectstore BUCKET. The script finds it in
// $OBJECTS, with keys for it where the vendor's library looks for them.
func serveObjects(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: objectstore BUCKET")
	}
	backend := s3mem.New()
	ts.Check(backend.CreateBucket(args[0]))
	s := httptest.NewServer(gofakes3.New(backend).Server())
	ts.Defer(s.Close)
	ts.Setenv("OBJECTS", s.URL)
	ts.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	ts.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestBlobPlaces(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       blobPlace
		wrong      string // part of what is wrong with it or of its remedy
	}{
		{"a bucket of S3", "s3://evidence", blobPlace{scheme: "s3", bucket: "evidence"}, ""},
		{"its region, and another store", "s3://evidence/a/b/?region=eu-central-1&endpoint=https://minio.example/", blobPlace{scheme: "s3", bucket: "evidence", prefix: "a/b", region: "eu-central-1", endpoint: "https://minio.example"}, ""},
		{"a container of Azure", "azblob://acme/evidence/a/b", blobPlace{scheme: "azblob", account: "acme", bucket: "evidence", prefix: "a/b"}, ""},
		{"a bucket of Google", "gs://evidence/a", blobPlace{scheme: "gs", bucket: "evidence", prefix: "a"}, ""},
		{"a store on this machine", "gs://evidence?endpoint=http://127.0.0.1:1", blobPlace{scheme: "gs", bucket: "evidence", endpoint: "http://127.0.0.1:1"}, ""},
		{"a mistyped scheme", "azblb://acme/evidence", blobPlace{}, "did you mean azblob?"},
		{"a scheme that nobody knows", "ftp://evidence", blobPlace{}, "write s3://BUCKET"},
		{"a folder", "/srv/blobs", blobPlace{}, "names no store"},
		{"no bucket", "s3:///prefix", blobPlace{}, "form s3://"},
		{"no container", "azblob://acme", blobPlace{}, "form azblob://"},
		{"a way out of the prefix", "s3://evidence/a/../b", blobPlace{}, "form s3://"},
		{"keys in the address", "s3://key:secret@evidence", blobPlace{}, "form s3://"},
		{"a mistyped parameter", "s3://evidence?regoin=x", blobPlace{}, "did you mean region?"},
		{"a parameter of another store", "gs://evidence?region=x", blobPlace{}, "unknown parameter"},
		{"plain http to another machine", "s3://evidence?endpoint=http://minio.example", blobPlace{}, "not https"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseBlobPlace(c.text)
			if c.wrong != "" {
				var bad *badValue
				if !errors.As(err, &bad) || !strings.Contains(bad.what+"; "+bad.remedy, c.wrong) {
					t.Errorf("%v, want %q", err, c.wrong)
				}
				return
			}
			if c.want.text = c.text; err != nil || got != c.want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
