package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// gauges are the figures that are read when somebody asks for them. What the database cannot
// tell is left out, and verdict_ready is 0 then.
type gauges struct{ s *Server }

// gaugeLimit bounds what one look may cost the database.
const gaugeLimit = 2 * time.Second

var (
	readyGauge    = prometheus.NewDesc("verdict_ready", "1 when the server may be sent requests, as /readyz says.", nil, nil)
	buildGauge    = prometheus.NewDesc("verdict_build_info", "1, with the version that runs.", []string{"version"}, nil)
	inFlightGauge = prometheus.NewDesc("verdict_http_requests_in_flight", "Requests at work now.", nil, nil)
	openGauge     = prometheus.NewDesc("verdict_connections_open", "Connections that are open now, by listener.", []string{"listener"}, nil)
	refusedGauge  = prometheus.NewDesc("verdict_connections_refused_total", "Connections that were closed at once, by listener and by whose bound: of all, or of one address.", []string{"listener", "bound"}, nil)
	entriesGauge  = prometheus.NewDesc("verdict_log_entries", "Entries of the log, of all epochs.", nil, nil)
	jobsGauge     = prometheus.NewDesc("verdict_jobs_late", "Background work that is due and that nobody has, by kind.", []string{"kind"}, nil)
	jobAgeGauge   = prometheus.NewDesc("verdict_jobs_late_seconds", "How long the oldest of it has been due, by kind.", []string{"kind"}, nil)
	attemptsGauge = prometheus.NewDesc("verdict_jobs_attempts", "The most attempts that one of it has had, by kind.", []string{"kind"}, nil)
)

// Describe names them.
func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{readyGauge, buildGauge, inFlightGauge, openGauge, refusedGauge, entriesGauge, jobsGauge, jobAgeGauge, attemptsGauge} {
		to <- d
	}
}

// Collect reads them.
func (g *gauges) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), gaugeLimit)
	defer cancel()
	tell := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	tell(buildGauge, 1, g.s.o.Version)
	tell(inFlightGauge, float64(len(g.s.busy)))
	g.s.listening.Range(func(name, c any) bool {
		open, tooMany, ofAddress := c.(*Connections).counts()
		tell(openGauge, float64(open), name.(string))
		to <- prometheus.MustNewConstMetric(refusedGauge, prometheus.CounterValue, float64(tooMany), name.(string), "all")
		to <- prometheus.MustNewConstMetric(refusedGauge, prometheus.CounterValue, float64(ofAddress), name.(string), "address")
		return true
	})
	ready := 1.0
	if len(g.s.lacks(ctx)) > 0 {
		ready = 0
	}
	tell(readyGauge, ready)
	if at, err := g.s.o.Ledger.Position(ctx); err == nil {
		tell(entriesGauge, float64(at))
	}
	now := g.s.o.Now().UnixMicro()
	late, err := g.s.o.Store.LateJobs(ctx, now)
	if err != nil {
		return
	}
	for _, l := range late {
		tell(jobsGauge, float64(l.Count), l.Kind)
		tell(jobAgeGauge, float64(now-l.Due)/1e6, l.Kind)
		tell(attemptsGauge, float64(l.Attempts), l.Kind)
	}
}
