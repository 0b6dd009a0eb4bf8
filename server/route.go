package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"verdict/identity"
)

// Operation is one route of the API: what its document says of it and what its border holds.
type Operation struct {
	Method  string // GET, POST, PUT or DELETE
	Path    string // below Prefix, with {parameters} as http.ServeMux has them
	ID      string // unique, in kebab case
	Summary string // one line
	About   string // what a caller should know; Markdown
	Tag     string // the group it stands under
	// Verb is what the caller needs a role for. That the object of the request lies in its
	// scope is for the handler to ask: Caller.May.
	Verb identity.Verb
	// Public: nobody has to be signed in. The handler is given the zero Caller where nobody is.
	Public bool
	Body   int64  // limit of the body in bytes; 0: Limits.Body
	Status int    // of success; 0: 200, or 204 without a body
	Media  string // type of the answer, whose Body is bytes; empty: it is JSON
	// Once: the operation is the same however often it is sent, so that no Idempotency-Key is
	// kept for it.
	Once bool
	// Within is how long it may take where that is longer than Limits.Request: work that somebody
	// waits for.
	Within time.Duration
	// Streams: the answer has no end of its own, and no limit of time.
	Streams bool
	// Origins: other origins than the server's may call it from a browser with a cookie. It is
	// never set for what changes something by a cookie.
	Origins bool
}

func (o Operation) pattern() string { return o.Method + " " + o.Path }

// callerKey is under which a request's context has its caller.
type callerKey struct{}

// CallerOf gives who the request of a context comes from, for handlers of Handle. It is the
// zero Caller where nobody is signed in.
func CallerOf(ctx context.Context) identity.Caller {
	c, _ := ctx.Value(callerKey{}).(identity.Caller)
	return c
}

// Route adds an operation of the API. In and Out are structs as huma v2 has them: path:,
// query: and header: tags, and a field Body. An error that is an *verdict.Error is told to
// the caller with its remedy, any other as a defect.
func Route[In, Out any](s *Server, o Operation, h func(ctx context.Context, c identity.Caller, in *In) (*Out, error)) {
	o.Path = Prefix + o.Path
	if o.Body == 0 {
		o.Body = s.o.Limits.Body
	}
	if o.ID == "" || o.Summary == "" || (o.Verb == "" && !o.Public) {
		panic(fmt.Sprintf("operation %s has no id, summary or verb", o.pattern()))
	}
	if _, twice := s.ops[o.pattern()]; twice {
		panic("two operations are " + o.pattern())
	}
	s.ops[o.pattern()] = o
	described := huma.Operation{
		Method: o.Method, Path: o.Path, OperationID: o.ID, Summary: o.Summary, Description: o.describe(), Tags: []string{o.Tag},
		DefaultStatus: o.Status, MaxBodyBytes: o.Body, BodyReadTimeout: -1, Errors: o.errors(),
	}
	if !o.Public {
		described.Security = []map[string][]string{{"bearer": {}}, {"session": {}}}
	}
	if o.Media != "" {
		described.Responses = map[string]*huma.Response{"200": {Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{o.Media: {Schema: &huma.Schema{Type: huma.TypeString}}}}}
	}
	huma.Register(s.api, described, func(ctx context.Context, in *In) (*Out, error) {
		out, err := h(ctx, CallerOf(ctx), in)
		if err != nil {
			return nil, s.told(ctx, o, err)
		}
		return out, nil
	})
}

// told turns an error into a problem, and logs what a caller is not told.
func (s *Server) told(ctx context.Context, o Operation, err error) *Problem {
	p := problemOf(err)
	if p.Status >= 500 && ctx.Err() == nil {
		s.o.Logger.Error("a request could not be answered", "operation", o.ID, "error", err.Error())
	}
	return p
}

func (o Operation) describe() string {
	words := []string{}
	if o.About != "" {
		words = append(words, o.About)
	}
	if o.Verb != "" {
		words = append(words, "Needs a role that allows `"+string(o.Verb)+"`.")
	}
	return strings.Join(words, "\n\n")
}

func (o Operation) errors() []int {
	out := []int{http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	if !o.Public {
		out = append(out, http.StatusUnauthorized, http.StatusForbidden)
	}
	if strings.Contains(o.Path, "{") {
		out = append(out, http.StatusNotFound)
	}
	if o.writes() {
		out = append(out, http.StatusConflict, http.StatusRequestEntityTooLarge)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (o Operation) writes() bool { return o.Method != http.MethodGet && o.Method != http.MethodHead }

// Handle adds a route with a protocol of its own: the log's, webhooks, pages of the sign-in.
// The pattern is that of http.ServeMux, with its method. The border is the same; of the
// Operation only what is not for the document is read.
func (s *Server) Handle(pattern string, o Operation, h http.Handler) {
	if o.Body == 0 {
		o.Body = s.o.Limits.Body
	}
	o.Method, o.Path, _ = strings.Cut(pattern, " ")
	if o.ID == "" || (o.Verb == "" && !o.Public) {
		panic(fmt.Sprintf("route %s has no id or verb", pattern))
	}
	s.ops[pattern] = o
	s.mux.Handle(pattern, h)
}

// Take adds an operation whose body is read as it comes, and which answers with JSON as it is.
// In and Out are for the document: parameters and answer, as Route has them.
func Take[In, Out any](s *Server, o Operation, h func(ctx context.Context, c identity.Caller, q url.Values, body io.Reader) ([]byte, error)) {
	s.Handle(o.Method+" "+Prefix+o.Path, o, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := h(r.Context(), CallerOf(r.Context()), r.URL.Query(), r.Body)
		if err != nil {
			if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
				err = bodyProblem(err)
			}
			writeProblem(w, s.told(r.Context(), o, err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b) // who has hung up is told nothing
	}))
	Document[In, Out](s, o)
}

// Document adds to the OpenAPI document an operation that Handle serves, with the schemas of
// its request and answer: the types of Route's, of which only the schemas are taken.
func Document[In, Out any](s *Server, o Operation) {
	o.Path = Prefix + o.Path
	shadow := huma.Operation{
		Method: o.Method, Path: o.Path, OperationID: o.ID, Summary: o.Summary, Description: o.describe(), Tags: []string{o.Tag},
		DefaultStatus: o.Status, Errors: o.errors(), Security: []map[string][]string{{"bearer": {}}, {"session": {}}},
	}
	huma.Register(unserved{s.api}, shadow, func(context.Context, *In) (*Out, error) { return nil, nil })
}

// unserved is an API whose routes are documented and not served.
type unserved struct{ huma.API }

func (u unserved) Adapter() huma.Adapter { return noAdapter{u.API.Adapter()} }

type noAdapter struct{ huma.Adapter }

func (noAdapter) Handle(*huma.Operation, func(huma.Context)) {}

// document is the configuration of the library: one format, no pages of its own, strict
// parameters.
func document(o Options) huma.Config {
	c := huma.DefaultConfig("Verdict", o.Version)
	c.Info.Description = "The control plane: evidence, decisions and their explanation. Errors are problem details (RFC 9457) with code, what and remedy."
	c.CreateHooks, c.DocsPath, c.SchemasPath = nil, "", ""
	c.RejectUnknownQueryParameters = true
	form := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: strict}
	c.Formats = map[string]huma.Format{"application/json": form, "json": form} // the second is for types that end in +json
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.Servers = []*huma.Server{{URL: o.PublicURL.String()}}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":  {Type: "http", Scheme: "bearer", Description: "an API token, or a session that POST " + Prefix + "/token gave"},
		"session": {Type: "apiKey", In: "cookie", Name: "__Host-verdict"},
	}
	return c
}

// requestTime is how long a request may take.
func (s *Server) requestTime(o Operation) time.Duration {
	if o.Streams {
		return 0
	}
	return cmp.Or(o.Within, s.o.Limits.Request)
}

// schemaName names a type in the document: by its package too, where that is not the
// vocabulary's, because several rooms have a word for their own answer.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	if t.Name() == "" {
		return name
	}
	switch p := path.Base(t.PkgPath()); p {
	case "verdict", ".", "main":
		return name
	default:
		return strings.ToUpper(p[:1]) + p[1:] + name
	}
}
