package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"verdict/deploy/admission"
)

// admissionFigures are what operators watch of admission, read when somebody asks for them.
type admissionFigures struct {
	of    *admission.Admission
	certs *admission.Certificates
}

var (
	answersFigure   = prometheus.NewDesc("verdict_admission_answers_total", "Answers to clusters, by what was answered.", []string{"answer"}, nil)
	lagFigure       = prometheus.NewDesc("verdict_admission_lag_seconds", "For how long nobody knows whether the promotions in memory are the last; over 5 the fail policies rule.", nil, nil)
	decisionsFigure = prometheus.NewDesc("verdict_admission_promotions", "Digests in environments that admission knows a decision about.", nil, nil)
	endsFigure      = prometheus.NewDesc("verdict_admission_authority_end_timestamp_seconds", "When the certificate authority of the endpoint ends, in seconds since 1970.", nil, nil)
	lostFigure      = prometheus.NewDesc("verdict_admission_unrecorded_total", "Answers that could not be recorded, and never will be.", nil, nil)
)

// Describe names them.
func (f admissionFigures) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{answersFigure, lagFigure, decisionsFigure, lostFigure, endsFigure} {
		to <- d
	}
}

// Collect reads them.
func (f admissionFigures) Collect(to chan<- prometheus.Metric) {
	s := f.of.Stats()
	for answer, n := range map[string]int64{"let_in": s.LetIn, "let_in_by_mode": s.LetBy, "denied": s.Denied, "not_asked": s.NotAsked, "unreadable": s.Unread} {
		to <- prometheus.MustNewConstMetric(answersFigure, prometheus.CounterValue, float64(n), answer)
	}
	to <- prometheus.MustNewConstMetric(lagFigure, prometheus.GaugeValue, s.Lag.Seconds())
	to <- prometheus.MustNewConstMetric(decisionsFigure, prometheus.GaugeValue, float64(s.Decisions))
	to <- prometheus.MustNewConstMetric(endsFigure, prometheus.GaugeValue, float64(f.certs.Ends().Unix()))
	to <- prometheus.MustNewConstMetric(lostFigure, prometheus.CounterValue, float64(s.Lost))
}
