package server

import (
	"html/template"
	"net/http"
)

// The pages of the sign-in: no script, no style, nothing to load, so that they say what they
// say in any browser.
var signInPages = template.Must(template.New("").Parse(`{{define "page"}}<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}} · Verdict</title></head>
<body><main><h1>{{.Title}}</h1>{{.Body}}</main></body></html>
{{end}}
{{define "choices"}}<ul>{{$r := .Return}}{{range .People}}<li><a href="/login?with={{.Name}}&amp;return={{$r}}">{{.Name}}</a></li>{{end}}</ul>{{end}}
{{define "text"}}<p>{{.}}</p>{{end}}
{{define "cli"}}<form method="post" action="/cli"><p>Does <code>verdict login</code> run on your machine now, started by you? Then it may have your rights here.</p><button>Give me a code</button></form>{{end}}
{{define "code"}}<p>Paste this into <code>verdict login --server {{.Server}}</code>. It works once, for ten minutes.</p><p><code>{{.Code}}</code></p>{{end}}
{{define "problem"}}<p>{{.What}}</p><p>{{.Remedy}}</p>{{end}}
`))

// show writes a page.
func (s *SignIn) show(w http.ResponseWriter, title, name string, data any) error {
	var body htmlText
	if err := signInPages.ExecuteTemplate(&body, name, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return signInPages.ExecuteTemplate(w, "page", struct {
		Title string
		Body  template.HTML
	}{title, template.HTML(body)}) // the other template has escaped it
}

// htmlText is what a template wrote.
type htmlText string

// Write adds to the text.
func (t *htmlText) Write(b []byte) (int, error) { *t += htmlText(b); return len(b), nil }

// tell writes what went wrong as a page.
func (s *SignIn) tell(w http.ResponseWriter, err error) {
	p := problemOf(err)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(p.Status)
	_ = s.show(w, "That did not work", "problem", p) // who has hung up is told nothing
}
