package main

import (
	"context"
	"net/http"

	"verdict/identity"
	"verdict/server"
	"verdict/server/wire"
)

// operations adds what operators do with a server that runs: what the commands do where its data
// is, without going there.
func (h *host) operations(s *server.Server) {
	h.logOperations(s)
	h.witnessOperations(s)
	h.advisoryOperations(s)
	h.policyOperations(s)
}

const tagOperations = "operations"

// awaited is a route by which somebody has the server do work, and waits for its end. like is the
// command that does it, as it is typed behind verdict.
func awaited(path, id, like, summary string, v identity.Verb, about string) server.Operation {
	return server.Operation{
		Method: http.MethodPost, Path: path, ID: id, Summary: summary, Tag: tagOperations, Verb: v, Status: http.StatusOK, Within: wire.WorkTime,
		About: about + " " + writtenBy(like),
	}
}

func (h *host) logOperations(s *server.Server) {
	type receipt struct{ Body receipted }
	server.Route(s, awaited("/log/receipts", "sign-receipt", "log receipt", "Have the log sign the time of what has no receipt", identity.Managing,
		"While it runs, the server signs one each minute by itself."),
		func(ctx context.Context, c identity.Caller, _ *struct{}) (*receipt, error) {
			if err := c.May(identity.Managing, identity.Object{}); err != nil {
				return nil, err
			}
			doc, err := h.recording(c).receipt(ctx)
			return &receipt{doc}, err
		})
	type swept struct{ Body sweptLog }
	server.Route(s, awaited("/log/sweeps", "sweep", "log sweep", "Remove large files on which no entry rests", identity.Managing,
		"One sweep is at work at a time, whichever replica is asked: while one is, the answer is 409. The server sweeps daily by itself."),
		func(ctx context.Context, c identity.Caller, _ *struct{}) (*swept, error) {
			if err := c.May(identity.Managing, identity.Object{}); err != nil {
				return nil, err
			}
			out := &swept{sweptLog{Schema: sweepSchema}}
			return out, h.work.Begin(ctx, sweepChore(func(ctx context.Context) (err error) {
				out.Body.SweepReport, err = h.base.own.Sweep(ctx)
				return err
			}))
		})
}
