package forge

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"verdict"
)

// MaxHook is how many bytes the largest delivery of any forge has: GitHub's.
const MaxHook = 25 << 20

// maxDepth is how deep the JSON of a delivery may be; GitHub's have eight levels.
const maxDepth = 64

// Hook is one forge as the server is joined to it: what it delivers, and how it is told. It
// is safe for concurrent use.
type Hook interface {
	// Receive verifies a delivery and reads from it where it leads. Whoever cannot show the
	// secret gets an *verdict.Error with CodeForbidden, before more than the headers was
	// read where the forge's way of signing lets us. What is signed and cannot be read is
	// CodeInvalid, with the Delivery's ID where that could be read; too large is CodeLimit.
	Receive(h http.Header, body io.Reader) (Delivery, error)

	// Show tells a decision about the commit of an event. The reference that it returns
	// names what it wrote, for Mark.Ref of the next time.
	Show(ctx context.Context, e Event, m Mark) (ref string, err error)

	// Answer answers the question of an event. An answer that is not final tells how far
	// it is, where the forge can take that.
	Answer(ctx context.Context, e Event, a Answer) error
}

// Delivery is what a forge sent.
type Delivery struct {
	ID    string // the forge's name of it, the same when it is sent again
	Event Event
}

// EventKind says where an event leads.
type EventKind string

// The kinds of event.
const (
	Nowhere EventKind = ""         // known or not, nothing follows from it
	Changed EventKind = "change"   // what is decided of a commit is to be shown
	Asked   EventKind = "question" // the same, and whether all of it lets the commit pass is to be answered
	Deploys EventKind = "deploy"   // the gate of an environment is to be asked
)

// Event is what a delivery says. Text in it is foreign.
type Event struct {
	Kind        EventKind `json:"kind"`
	Name        string    `json:"name"`                  // in the forge's words, such as pull_request.opened
	Repo        string    `json:"repo,omitempty"`        // as Request.Repo
	Address     string    `json:"address,omitempty"`     // of the repository, for people, as the forge tells it
	Commit      string    `json:"commit,omitempty"`      // hex
	Request     string    `json:"request,omitempty"`     // as Request.ID
	Environment string    `json:"environment,omitempty"` // that something is to be deployed to
	Artifact    string    `json:"artifact,omitempty"`    // its digest, where the sender names it; else the commit's
	Requester   Account   `json:"requester,omitzero"`    // who asks for the deployment
	At          time.Time `json:"at,omitzero"`           // when it happened, as the sender says; zero where he does not
	// Reply is what the forge's own Hook needs to answer, and Token a secret that it needs
	// for that, which is kept sealed and apart.
	Reply json.RawMessage `json:"reply,omitempty"`
	Token string          `json:"-"`
}

// Mark is a decision as it is shown beside a commit.
type Mark struct {
	Name     string // what the forge tells its checks apart by: the point, and the service where there are several
	Decision verdict.Decision
	Title    string // one line of plain text
	Summary  string // Markdown
	URL      string // where people read more; may be empty
	Ref      string // what Show returned before; empty for the first time
}

// Answer is what a question is answered with.
type Answer struct {
	Outcome verdict.Outcome // Allow lets pass; Review waits and is not final; all else does not let pass
	Comment string          // plain text, for whoever waits
	URL     string
}

// Final reports whether nothing more follows.
func (a Answer) Final() bool { return a.Outcome != verdict.Review }

// Passes reports whether the answer lets pass.
func (a Answer) Passes() bool { return a.Outcome == verdict.Allow }

// CheckJSON refuses a body that does not say that it is JSON: what a form says would be
// read differently from what was signed.
func CheckJSON(h http.Header) error {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || media != "application/json" || len(h.Values("Content-Type")) != 1 || h.Get("Content-Encoding") != "" {
		return &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("the delivery comes as %.100q and not as application/json", h.Get("Content-Type")),
			Remedy: "choose application/json as the content type of the webhook",
		}
	}
	return nil
}

// ReadBody reads a delivery of at most so many bytes.
func ReadBody(r io.Reader, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: "the delivery ended before its end", Remedy: "let the forge deliver it again", Err: err}
	}
	if int64(len(b)) > most {
		return nil, &verdict.Error{
			Code: verdict.CodeLimit, What: fmt.Sprintf("the delivery has more than %d bytes", most),
			Remedy: "choose fewer events for the webhook: those that lead somewhere are small",
		}
	}
	return b, nil
}

// DecodeHook reads the JSON of a delivery, which may not be deeper than any forge's.
func DecodeHook(body []byte, into any) error {
	err := depth(body)
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		return Unreadable(err)
	}
	return nil
}

// Unreadable is the error for a delivery that is signed and whose words are not those of
// the forge.
func Unreadable(err error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: "the delivery is not understood",
		Remedy: "check that the webhook belongs to this kind of forge, in a version that is supported; if both hold, report it with the text above", Err: err,
	}
}

// depth refuses JSON that is nested deeper than maxDepth, before a decoder walks it.
func depth(b []byte) error {
	deep, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if deep++; deep > maxDepth {
				return errors.New("its JSON is nested too deeply")
			}
		case c == '}' || c == ']':
			deep--
		}
	}
	return nil
}

// Secrets are what a webhook's deliveries are verified by: one, or two while one takes the
// place of the other. None verifies nothing.
type Secrets [][]byte

// Signs reports whether one of the secrets makes the HMAC-SHA256 of the parts. It takes the
// same time whichever it is.
func (s Secrets) Signs(mac []byte, parts ...[]byte) bool {
	ok := 0
	for _, secret := range s {
		if len(secret) == 0 {
			continue
		}
		h := hmac.New(sha256.New, secret)
		for _, p := range parts {
			h.Write(p)
		}
		ok |= subtle.ConstantTimeCompare(h.Sum(nil), mac)
	}
	return ok == 1
}

// Holds reports whether what was shown is one of the secrets. Neither the time nor its
// length tells anything of them.
func (s Secrets) Holds(shown string) bool {
	sum := sha256.Sum256([]byte(shown))
	ok := 0
	for _, secret := range s {
		secret = bytes.TrimSpace(secret)
		want := sha256.Sum256(secret)
		if len(secret) > 0 {
			ok |= subtle.ConstantTimeCompare(want[:], sum[:])
		}
	}
	return ok == 1
}

// NotSigned is the error for a delivery by somebody who does not know the secret.
func NotSigned(forge, header string) error {
	return &verdict.Error{
		Code: verdict.CodeForbidden, What: fmt.Sprintf("this is no delivery of %s that we know: %s is missing or wrong", forge, header),
		Remedy: "set the webhook's secret to one of those that the forge's entry names under `secrets:`",
	}
}

// Clip shortens text for a forge to so many bytes, of which there are more than three, at a
// letter, and shows that it did.
func Clip(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	s = s[:most-3]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
