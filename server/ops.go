package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// figures are the server's metrics, in a registry of its own.
type figures struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newFigures() *figures {
	f := &figures{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "verdict_http_requests_total", Help: "Requests by operation and status."}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "verdict_http_request_seconds", Help: "Time to answer, by operation.", Buckets: []float64{.0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"operation"}),
	}
	f.registry.MustRegister(f.requests, f.seconds, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return f
}

func (f *figures) request(operation string, status int, took time.Duration) {
	f.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	f.seconds.WithLabelValues(operation).Observe(took.Seconds())
}

// Metrics is where parts of the control plane register what they count, as verdict_….
func (s *Server) Metrics() prometheus.Registerer { return s.figures.registry }

// OpsHandler serves what operators watch: /healthz (the process answers), /readyz (it may be
// sent requests), and /metrics for Prometheus. It asks nobody to sign in, so it belongs on a
// listener of its own.
func (s *Server) OpsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { tellReady(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { tellReady(w, s.lacks(r.Context())) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.figures.registry, promhttp.HandlerOpts{}))
	return mux
}

// lacks says what is missing for being ready, by the name of each condition.
func (s *Server) lacks(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out := map[string]string{}
	if s.ending.Load() {
		out["running"] = "the server is stopping"
	}
	if _, err := s.o.Ledger.Checkpoint(ctx); err != nil {
		out["ledger"] = err.Error()
	}
	s.ready.Range(func(name, check any) bool {
		if err := check.(func(context.Context) error)(ctx); err != nil {
			out[name.(string)] = err.Error()
		}
		return true
	})
	return out
}

func tellReady(w http.ResponseWriter, lacks map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	status := "ok"
	if len(lacks) > 0 {
		status = "not ready"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(struct {
		Status string            `json:"status"`
		Lacks  map[string]string `json:"lacks,omitempty"`
	}{status, lacks})
}
