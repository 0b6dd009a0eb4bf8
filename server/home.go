package server

import (
	"html/template"
	"net/http"
	"strings"
)

// home is what a server says of itself to anybody: which log it keeps, and where to go on.
type home struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Origin     string `json:"origin"` // the log's name, as its checkpoints have it
	API        string `json:"api"`
	OpenAPI    string `json:"openapi"`
	Checkpoint string `json:"checkpoint"`
	SignIn     string `json:"sign_in"`
}

// homePage loads nothing and runs nothing, like the pages of the sign-in.
var homePage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Name}}</title></head>
<body><main><h1>{{.Name}}</h1><p>Version {{.Version}}{{with .Origin}}, with the log <code>{{.}}</code>{{end}}.</p>
<ul><li><a href="{{.SignIn}}">Sign in</a></li><li><a href="{{.OpenAPI}}">The API, as OpenAPI</a></li><li><a href="{{.Checkpoint}}">The latest checkpoint of the log</a>, for who is signed in</li></ul></main></body></html>
`))

// atHome answers GET / with a page for browsers, and else with the same as JSON. It is for
// anybody, so it asks neither the database nor a key.
func (s *Server) atHome(w http.ResponseWriter, r *http.Request) {
	h := home{Name: "Verdict", Version: s.o.Version, Origin: s.o.Origin, API: Prefix, OpenAPI: "/openapi.json", Checkpoint: "/log/checkpoint", SignIn: "/login"}
	w.Header().Set("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		writeJSON(w, h)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = homePage.Execute(w, h) // who has hung up is told nothing
}
