package main

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"verdict/advisory"
)

// renewalDue reports whether what is fetched was confirmed longer ago than it should be, or was
// never fetched.
func (h *host) renewalDue(x renewal, now time.Time) bool {
	index, err := advisory.Open(h.advisoryFile())
	if err != nil {
		return true
	}
	defer index.Close()
	wanted := slices.Clone(x.ecosystems)
	for _, s := range index.Sources() {
		name, fetched := strings.CutPrefix(s.Name, advisory.FetchedPrefix)
		if !fetched || len(x.ecosystems) > 0 && !slices.Contains(x.ecosystems, name) {
			continue
		}
		if now.Sub(s.Confirmed) >= x.every {
			return true
		}
		wanted = slices.DeleteFunc(wanted, func(e string) bool { return e == name })
	}
	return len(wanted) > 0
}

func (h *host) advisoryFile() string { return filepath.Join(h.base.dir, advisoryFile) }

// advisoryFigures is how old the server's vulnerability data are, read when somebody asks for it.
// Where there are none, or their age is unknown, there is no figure.
type advisoryFigures struct{ of *host }

var advisoryAgeFigure = prometheus.NewDesc("verdict_advisories_age_seconds", "Age of the oldest part of this replica's vulnerability data that counts.", nil, nil)

// Describe names it.
func (advisoryFigures) Describe(to chan<- *prometheus.Desc) { to <- advisoryAgeFigure }

// Collect reads it.
func (f advisoryFigures) Collect(to chan<- prometheus.Metric) {
	index, err := advisory.Open(f.of.advisoryFile())
	if err != nil {
		return
	}
	defer index.Close()
	if at := index.Database().At; !at.IsZero() {
		to <- prometheus.MustNewConstMetric(advisoryAgeFigure, prometheus.GaugeValue, f.of.app.now().Sub(at).Seconds())
	}
}
