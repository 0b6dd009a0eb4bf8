package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server"
)

// witnessList is the document verdict.witnesses/v1: what the witnesses of a log have signed.
type witnessList struct {
	Schema    string       `json:"schema"`
	Origin    string       `json:"origin"`
	Size      int64        `json:"size"` // entries of the log
	Witnesses []oneWitness `json:"witnesses"`
}

type oneWitness struct {
	ledger.WitnessSeen
	Asked bool `json:"asked"` // the server asks him by itself; else somebody did, where its data is
}

// witnessesOf reads those of --witness, and keeps their keys, so that a replica which never asks
// can check what they sign.
func (h *host) witnessesOf(list []string) error {
	if len(list) > 0 && h.app.config.Offline {
		return usage(seeServe, "--offline forbids the connection to a witness", "leave --offline or --witness out")
	}
	for _, text := range list {
		address, key, found := strings.Cut(text, "=")
		w := ledger.Witness{Key: key, Client: witnessClient()}
		if !found || addressValue(&w.URL).parse(address) != nil {
			return usage(seeServe, fmt.Sprintf("--witness %.120q does not name a witness", text), "write --witness URL=KEY, with the verifier key that he publishes: --witness https://witness.example=witness.example+12345678+Ab…")
		}
		if slices.ContainsFunc(h.witnesses, func(k ledger.Witness) bool { return witnessName(k) == witnessName(w) }) {
			return usage(seeServe, fmt.Sprintf("--witness names %.80q twice", witnessName(w)), "give each witness once")
		}
		if err := h.base.own.KnowWitness(key); err != nil {
			return err
		}
		h.witnesses = append(h.witnesses, w)
	}
	return nil
}

// witnessName is that in the witness's key.
func witnessName(w ledger.Witness) string {
	name, _, _ := strings.Cut(w.Key, "+")
	return name
}

// witnessChore asks the witnesses that the server was started with. That one does not answer is
// told, and keeps no other from being asked.
func (h *host) witnessChore(told func(witnessed)) server.Chore {
	return server.Chore{Name: "witness", Every: time.Hour, Do: func(ctx context.Context) error {
		out := witnessed{Schema: "verdict.witnessed/v1", Signed: []ledger.Cosigned{}, Failed: []failedWitness{}}
		defer func() { told(out) }()
		var failed error
		for _, w := range h.witnesses {
			c, err := h.base.own.Witness(ctx, w)
			if err == nil {
				out.Signed = append(out.Signed, c)
				continue
			}
			h.unwitnessed.WithLabelValues(witnessName(w)).Inc()
			e := verdict.AsError(err)
			out.Failed = append(out.Failed, failedWitness{witnessName(w), e.Code, e.Error(), e.Remedy})
			failed = errors.Join(failed, fmt.Errorf("%s: %w", witnessName(w), err))
		}
		return failed
	}}
}

func (h *host) witnessOperations(s *server.Server) {
	type asked struct{ Body witnessed }
	server.Route(s, awaited("/log/witnesses", "ask-witnesses", "log witness", "Have the witnesses of the server sign the latest checkpoint", identity.Managing,
		"Those are asked that it was started with (`verdict serve --witness`), and nobody at an address that a caller names. It asks them each hour by itself. One who does not sign is under `failed`."),
		func(ctx context.Context, c identity.Caller, _ *struct{}) (*asked, error) {
			if err := c.May(identity.Managing, identity.Object{}); err != nil {
				return nil, err
			}
			if len(h.witnesses) == 0 {
				return nil, &verdict.Error{
					Code: verdict.CodeNotFound, What: "this server was started with no witness", Remedy: "have it started with one: verdict serve --witness URL=KEY",
				}
			}
			out := &asked{}
			if err := h.work.Begin(ctx, h.witnessChore(func(w witnessed) { out.Body = w })); err != nil && len(out.Body.Failed) == 0 {
				return nil, err
			}
			return out, nil
		})
	type listed struct{ Body witnessList }
	server.Route(s, server.Operation{
		Method: http.MethodGet, Path: "/log/witnesses", ID: "list-witnesses", Summary: "How much of the log its witnesses have signed", Tag: tagOperations, Verb: identity.Reading,
		About: "Their signatures are checked. `size` is 0 where none is held here: if he signed for this log, they were taken out.",
	}, func(ctx context.Context, _ identity.Caller, _ *struct{}) (*listed, error) {
		l, err := h.listWitnesses(ctx)
		return &listed{l}, err
	})
}

func (h *host) listWitnesses(ctx context.Context) (witnessList, error) {
	out := witnessList{Schema: "verdict.witnesses/v1", Witnesses: []oneWitness{}}
	c, err := h.base.own.Checkpoint(ctx)
	if err != nil {
		return out, err
	}
	seen, err := h.base.own.Witnesses(ctx)
	if err != nil {
		return out, err
	}
	out.Origin, out.Size = c.Origin, c.Size
	asks := map[string]bool{}
	for _, w := range h.witnesses {
		asks[w.Key] = true
	}
	for _, w := range seen {
		out.Witnesses = append(out.Witnesses, oneWitness{w, asks[w.Key]})
	}
	return out, nil
}

var (
	witnessedFigure  = prometheus.NewDesc("verdict_witness_entries", "Entries in the largest checkpoint that a witness signed.", []string{"witness"}, nil)
	witnessAgeFigure = prometheus.NewDesc("verdict_witness_age_seconds", "Since when the last signature of a witness is there.", []string{"witness"}, nil)
)

// witnessFigures are what operators watch of witnesses, read when somebody asks for them.
type witnessFigures struct{ of *host }

// Describe names them.
func (f witnessFigures) Describe(to chan<- *prometheus.Desc) {
	to <- witnessedFigure
	to <- witnessAgeFigure
}

// Collect reads them. What cannot be read is left out.
func (f witnessFigures) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), figureLimit)
	defer cancel()
	l, err := f.of.listWitnesses(ctx)
	if err != nil {
		return
	}
	for _, w := range l.Witnesses {
		if !w.Asked {
			continue
		}
		to <- prometheus.MustNewConstMetric(witnessedFigure, prometheus.GaugeValue, float64(w.Size), w.Name)
		if !w.At.IsZero() {
			to <- prometheus.MustNewConstMetric(witnessAgeFigure, prometheus.GaugeValue, f.of.app.now().Sub(w.At).Seconds(), w.Name)
		}
	}
}

// figureLimit bounds what one look at the figures may cost the database.
const figureLimit = 2 * time.Second
