package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"verdict"
	"verdict/server"
)

// AboutDigest is a digest in a path, with the moment that is asked of.
type AboutDigest struct {
	Digest string `path:"digest" maxLength:"200" doc:"sha256:… of an artifact, or gitCommit:…"`
	AsOf
}

// artifactQuestions are about one artifact.
func (h *host) artifactQuestions(s *server.Server) {
	type shown struct {
		AboutDigest
		Limit int `query:"limit" default:"1000" minimum:"1" maximum:"10000" doc:"pieces of evidence, and deployments, that are listed; what is older is counted under unknown"`
	}
	question[shown, shownArtifact](h, s, "/artifacts/{digest}", "artifact", "artifact show", "What is known of an artifact: identity, evidence, contents, decisions, deployments",
		func(p *shown) string { return p.At },
		func(p *shown) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error {
				return (&showing{from: fromLedger, most: p.Limit}).run(ctx, a, []string{p.Digest})
			}
		})
	type bill struct {
		AboutDigest
		Limit  int    `query:"limit" default:"1000" minimum:"1" maximum:"10000" doc:"components of one answer"`
		Cursor string `query:"cursor" maxLength:"40" pattern:"^[0-9]+-[0-9]+$" doc:"next of the answer before"`
	}
	question[bill, billShown](h, s, "/artifacts/{digest}/sbom", "artifact-sbom", "sbom show", "The bill of materials that was recorded last of an artifact",
		func(p *bill) string { return p.At },
		func(p *bill) func(context.Context, *app) error {
			return reads(func(ctx context.Context, w *workspace) error {
				d, err := verdict.ParseDigest(p.Digest)
				if err != nil {
					return err
				}
				v, err := w.recordedBill(ctx, d)
				if err == nil {
					err = v.page(p.Cursor, p.Limit)
				}
				if err != nil {
					return err
				}
				return w.app.emit(v, v.text)
			})
		})
}

// page keeps some of the components of a recorded bill. The cursor names the bill too: a place
// in one says nothing of another that was recorded since.
func (v *billShown) page(cursor string, limit int) error {
	from := 0
	if cursor != "" {
		entry, at, _ := strings.Cut(cursor, "-")
		n, err := strconv.Atoi(at)
		if err != nil || n > len(v.Components) || entry != strconv.FormatInt(*v.Entry, 10) {
			return &verdict.Error{Code: verdict.CodeConflict, What: "the cursor is of another bill of materials", Remedy: "ask from the beginning, or give the same at with each page"}
		}
		from = n
	}
	to := min(from+limit, len(v.Components))
	if to < len(v.Components) {
		v.Next = fmt.Sprintf("%d-%d", *v.Entry, to)
	}
	v.Components = v.Components[from:to]
	return nil
}

// keyQuestions are about who signs. Which keys lie on the server's machine is not told.
func (h *host) keyQuestions(s *server.Server) {
	asked := func(r func(context.Context, *workspace, []string) error, args ...string) func(context.Context, *app) error {
		return reads(func(ctx context.Context, w *workspace) error { return r(ctx, w, args) })
	}
	question[AsOf, knownPeople](h, s, "/people", "list-people", "people list", "The people of the map in force with their accounts and keys",
		func(p *AsOf) string { return p.At }, func(*AsOf) func(context.Context, *app) error { return asked(listPeople) })
	question[AsOf, heldKeys](h, s, "/keys", "list-keys", "keys list", "The keys that are or were enrolled, and for which entries they count",
		func(p *AsOf) string { return p.At }, func(*AsOf) func(context.Context, *app) error { return asked(listKeys) })
	type key struct {
		Key string `path:"key" maxLength:"200" doc:"its id or the first letters of it, or the person that it is enrolled for"`
		AsOf
	}
	question[key, shownKey](h, s, "/keys/{key}", "show-key", "keys show", "One enrolled key and its public half",
		func(p *key) string { return p.At }, func(p *key) func(context.Context, *app) error { return asked(showKey, p.Key) })
	question[struct{}, logKey](h, s, "/log/key", "log-key", "log key", "The key by which others check this log",
		func(*struct{}) string { return "" }, func(*struct{}) func(context.Context, *app) error { return asked(showLogKey) })
}
