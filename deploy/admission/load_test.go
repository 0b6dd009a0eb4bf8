package admission

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"verdict"
)

// loadOrder is what the process that makes the load is told.
type loadOrder struct {
	URL     string
	CA      []byte
	Clients int
	Rate    int // requests a second in all, at times that do not wait for answers; 0: as many as are answered
	Seconds int
	Digests int
}

// loadResult is what it measured, in milliseconds from when a request was due.
type loadResult struct {
	Answers, Failures int
	P50, P99          float64
	Seconds           float64
}

const loadVariable = "ADMISSION_LOAD"

// TestMain is the program of this package's tests, and the process that makes the load.
func TestMain(m *testing.M) {
	order := os.Getenv(loadVariable)
	if order == "" {
		os.Exit(m.Run())
	}
	var o loadOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(o.run()); err != nil {
		os.Exit(1)
	}
}

// loadDigest is the digest with a number.
func loadDigest(i int) verdict.Digest { return verdict.NewDigest("sha256", fmt.Sprintf("%064x", i)) }

// loadReview is what an API server asks when a deployment of two containers is made.
func loadReview(i, digests int) []byte {
	env := ""
	for n := range 24 {
		env += fmt.Sprintf(`{"name":"SETTING_%d","value":"some value of it, %d"},`, n, n)
	}
	container := func(n int) string {
		return fmt.Sprintf(`{"name":"c%d","image":"ghcr.io/acme/web@%s","env":[%s{"name":"LAST","value":"x"}],"resources":{"limits":{"cpu":"1","memory":"1Gi"}}}`, n, loadDigest((i*7919+n)%digests), env)
	}
	return fmt.Appendf(nil, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-%d","kind":{"group":"apps","version":"v1","kind":"Deployment"},"name":"web-%d","namespace":"web","operation":"CREATE","userInfo":{"username":"jane@acme.example","groups":["dev","system:authenticated"]},"object":{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web-%d"},"spec":{"template":{"spec":{"containers":[%s,%s]}}}}}}`, i, i%500, i%500, container(0), container(1))
}

func (o loadOrder) run() (r loadResult) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(o.CA)
	var mu sync.Mutex // guards took and r
	var took []time.Duration
	var wait sync.WaitGroup
	begin := time.Now().Add(200 * time.Millisecond)
	for c := range o.Clients {
		wait.Go(func() {
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool}}}
			mine, failed := []time.Duration{}, 0
			for n := 0; ; n++ {
				i := n*o.Clients + c
				due := begin
				if o.Rate > 0 {
					due = begin.Add(time.Duration(i) * time.Second / time.Duration(o.Rate))
				} else if n > 0 {
					due = time.Now()
				}
				if due.Sub(begin) >= time.Duration(o.Seconds)*time.Second {
					break
				}
				time.Sleep(time.Until(due))
				if err := o.ask(client, i); err != nil {
					failed++
				}
				mine = append(mine, time.Since(due))
			}
			mu.Lock()
			defer mu.Unlock()
			took, r.Failures = append(took, mine...), r.Failures+failed
		})
	}
	wait.Wait()
	slices.Sort(took)
	r.Answers, r.Seconds = len(took), time.Since(begin).Seconds()
	if len(took) > 0 {
		r.P50, r.P99 = float64(took[len(took)/2])/1e6, float64(took[len(took)*99/100])/1e6
	}
	return r
}

func (o loadOrder) ask(client *http.Client, i int) error {
	resp, err := client.Post(o.URL, "application/json", bytes.NewReader(loadReview(i, o.Digests)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	var out reviewed
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err == nil && (out.Response.UID != fmt.Sprintf("u-%d", i) || !out.Response.Allowed) {
		err = fmt.Errorf("%s", text)
	}
	return err
}
