package server

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"verdict/store"
)

// Whoever is woken by a figure has to be able to trust it: what is late is told with its age,
// and a log that cannot be read is not ready.
func TestOperatorsSeeWhatIsLateAndWhetherItIsReady(t *testing.T) {
	s := made(t, Limits{})
	hour := time.Now().Add(-time.Hour).UnixMicro()
	if err := s.o.Store.AddJob(t.Context(), store.Job{ID: "j", Kind: "chore/sweep", Doc: "{}", Due: hour}); err != nil {
		t.Fatal(err)
	}
	scrape := func() string {
		w := httptest.NewRecorder()
		s.OpsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if w.Code != 200 {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	said := scrape()
	for _, want := range []string{"verdict_ready 1\n", "verdict_log_entries 0\n", `verdict_build_info{version="test"} 1`, `verdict_jobs_late{kind="chore/sweep"} 1`, `verdict_jobs_late_seconds{kind="chore/sweep"} 36`, "verdict_http_requests_in_flight 0\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not told:\n%s", want, said)
		}
	}
	if err := s.o.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if said := scrape(); !strings.Contains(said, "verdict_ready 0\n") || strings.Contains(said, "verdict_log_entries") {
		t.Errorf("a log that is gone:\n%s", said)
	}
}
