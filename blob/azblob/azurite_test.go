package azblob

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"verdict"
	"verdict/blob"
	"verdict/blob/blobtest"
)

const azuriteVersion = "3.37.0"

// azuriteProgram finds Azurite where an earlier run put it. With VERDICT_LONG it is
// installed there by npm.
func azuriteProgram(t *testing.T) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "verdict", "azurite-"+azuriteVersion)
	program := filepath.Join(folder, "node_modules", ".bin", "azurite-blob")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	if os.Getenv("VERDICT_LONG") == "" {
		t.Skip("SKIP azurite: it is not in the cache, and VERDICT_LONG=1 installs it with npm")
	}
	if out, err := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, "azurite@"+azuriteVersion).CombinedOutput(); err != nil {
		t.Skipf("SKIP azurite: npm cannot install it: %v\n%s", err, out)
	}
	return program
}

// startAzurite runs Azurite until the test ends, and gives the address of its account.
func startAzurite(t *testing.T) *url.URL {
	program := azuriteProgram(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	var told bytes.Buffer
	c := exec.Command(program, "--blobHost", "127.0.0.1", "--blobPort", strconv.Itoa(port), "--location", t.TempDir(),
		"--silent", "--disableTelemetry", "--skipApiVersionCheck")
	c.Stdout, c.Stderr = &told, &told
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	for range 300 {
		if conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			conn.Close()
			return &url.URL{Scheme: "http", Host: fmt.Sprint("127.0.0.1:", port), Path: "/devstoreaccount1"}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("azurite does not answer: %s", told.String())
	return nil
}

// dated hands requests on to Azurite, and answers with the clock of the case where Azurite
// says when something was written: it knows no other clock than the machine's.
type dated struct {
	now func() time.Time
	mu  sync.Mutex // guards put
	put map[string]time.Time
}

var listedBlob = regexp.MustCompile(`(<Name>([^<]*)</Name>.*?<Last-Modified>)[^<]*(</Last-Modified>)`)

func (d *dated) proxy(to *url.URL) http.Handler {
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: to.Scheme, Host: to.Host})
	p.ModifyResponse = func(r *http.Response) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		path := r.Request.URL.Path
		if r.Request.Method == http.MethodPut && r.StatusCode == http.StatusCreated {
			d.put[path] = d.now()
		}
		if at, ok := d.put[path]; ok && r.Header.Get("Last-Modified") != "" {
			r.Header.Set("Last-Modified", at.UTC().Format(http.TimeFormat))
		}
		if r.Request.URL.Query().Get("comp") != "list" {
			return nil
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		b = listedBlob.ReplaceAllFunc(b, func(m []byte) []byte {
			part := listedBlob.FindSubmatch(m)
			at := d.put[path+"/"+string(part[2])].UTC().Format(http.TimeFormat)
			return bytes.Join([][]byte{part[1], []byte(at), part[3]}, nil)
		})
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		r.Header.Set("Content-Length", strconv.Itoa(len(b)))
		return nil
	}
	return p
}

// azuriteKey is the well-known key of every Azurite.
const azuriteKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

func TestAzurite(t *testing.T) {
	to := startAzurite(t)
	key, err := container.NewSharedKeyCredential("devstoreaccount1", azuriteKey)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	clientAt := func(t *testing.T, address string) *container.Client {
		c, err := container.NewClientWithSharedKeyCredential(address, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var real *container.Client
	blobtest.Run(t, blobtest.Driver{
		Open: func(t *testing.T, now func() time.Time, max int64) blob.Store {
			n++
			name := fmt.Sprint("case", n)
			real = clientAt(t, to.JoinPath(name).String())
			if _, err := real.Create(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			d := &dated{now: now, put: map[string]time.Time{}}
			between := httptest.NewServer(d.proxy(to))
			t.Cleanup(between.Close)
			c := clientAt(t, between.URL+to.JoinPath(name).Path)
			return blob.In(&bucket{c, name}, blob.InOptions{Prefix: "team", MaxSize: max})
		},
		Damage: func(t *testing.T, s blob.Store, d verdict.Digest) {
			b := &bucket{real, "case"}
			if err := b.Replace(t.Context(), "team/sha256/"+d.Hex()[:2]+"/"+d.Hex(), []byte("others")); err != nil {
				t.Fatal(err)
			}
		},
	})
}
