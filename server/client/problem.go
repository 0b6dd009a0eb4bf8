package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"verdict"
	"verdict/server/wire"
)

// read gives the body of an answer that is one, and the error that any other is.
func (c *Client) read(q call, a answered) ([]byte, error) {
	switch {
	case a.status >= 300 && a.status < 400:
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("the server %s sends us to another address (%.200s), and no token goes there", c.o.Server, a.to),
			Remedy: "name the address where the control plane itself answers with --server",
		}
	case a.status > 299:
		return nil, c.problem(a)
	case a.status != http.StatusOK && a.status != http.StatusCreated && a.status != http.StatusNoContent:
		return nil, c.strange(fmt.Sprintf("it answers with status %d", a.status), nil)
	case a.api != wire.Release:
		return nil, c.strange(fmt.Sprintf("its API is %.20q, and this program speaks %s", a.api, wire.Release), nil)
	case !q.bytes && a.kind != "application/json":
		return nil, c.strange(fmt.Sprintf("it answers with %.80q", a.kind), nil)
	}
	return a.body, nil
}

// codes are those that a server may answer with. An answer that names another one, or none,
// has that of its status.
var codes = map[verdict.Code]bool{
	verdict.CodeUsage: true, verdict.CodeInvalid: true, verdict.CodeLimit: true, verdict.CodeUnavailable: true, verdict.CodeNotFound: true, verdict.CodeConflict: true,
	verdict.CodeInternal: true, verdict.CodeRefused: true, verdict.CodeForbidden: true, verdict.CodeReview: true,
}

// problem is the error that an answer states: that of the server where it is one.
func (c *Client) problem(a answered) error {
	var p wire.Problem
	e := &verdict.Error{Code: codeOf(a.status), What: fmt.Sprintf("the server %s answers with status %d", c.o.Server, a.status), Remedy: remedyOf(a.status, c.o.Server)}
	if a.kind != wire.ProblemType || json.Unmarshal(a.body, &p) != nil {
		return e
	}
	if codes[p.Code] && e.Code != verdict.CodeForbidden {
		e.Code = p.Code
	}
	if what := strings.TrimSpace(p.What); what != "" {
		e.What = what[:min(len(what), maxText)]
	}
	if remedy := strings.TrimSpace(p.Remedy); remedy != "" {
		e.Remedy = remedy[:min(len(remedy), maxText)]
	}
	return e
}

func codeOf(status int) verdict.Code {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return verdict.CodeForbidden
	case http.StatusNotFound:
		return verdict.CodeNotFound
	case http.StatusConflict:
		return verdict.CodeConflict
	case http.StatusRequestEntityTooLarge:
		return verdict.CodeLimit
	}
	if status >= 500 || status == http.StatusTooManyRequests {
		return verdict.CodeUnavailable
	}
	return verdict.CodeInvalid
}

func remedyOf(status int, server string) string {
	switch {
	case status == http.StatusUnauthorized:
		return "sign in: verdict login --server " + server
	case status == http.StatusForbidden:
		return "ask an admin of the server for a role that allows it"
	case status == http.StatusTooManyRequests || status >= 500:
		return "run the command again in a minute; if it stays so, its operator finds why in the server's log"
	}
	return "compare --server with the address that verdict serve printed, and the versions: verdict version here and there"
}
