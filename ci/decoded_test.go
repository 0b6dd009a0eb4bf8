package ci

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zricethezav/gitleaks/v8/detect/codec"
)

// disguise encodes a text in one of the ways that are taken off.
func disguise(r *rand.Rand, s string) string {
	switch r.IntN(7) {
	case 0:
		return base64.StdEncoding.EncodeToString([]byte(s))
	case 1:
		return base64.RawURLEncoding.EncodeToString([]byte(s))
	case 2:
		return hex.EncodeToString([]byte(s))
	case 3:
		return strings.ToUpper(hex.EncodeToString([]byte(s)))
	case 4:
		return url.QueryEscape(s)
	case 5:
		var b strings.Builder
		for _, c := range s {
			fmt.Fprintf(&b, []string{`\u%04x`, `\\U%04X`, `U+%04x `}[r.IntN(3)], c)
		}
		return b.String()
	}
	return "%" + hex.EncodeToString([]byte(s[:1])) + s[min(1, len(s)):]
}

// theLibrarysLayers are the texts that the library makes of a text.
func theLibrarysLayers(text string) []string {
	d := codec.NewDecoder()
	var all []string
	var segments []*codec.EncodedSegment
	for range maxDecode {
		if text, segments = d.Decode(text, segments); len(segments) == 0 {
			break
		}
		all = append(all, text)
	}
	return all
}

func ourLayers(t *testing.T, text string) []string {
	t.Helper()
	var all []string
	l, err := (&layer{text: []byte(text)}).decode()
	for ; l != nil && err == nil && l.depth <= maxDecode; l, err = l.decode() {
		all = append(all, string(l.text))
	}
	must(t, err)
	return all
}

func sameLayers(t *testing.T, text string) int {
	t.Helper()
	want, got := theLibrarysLayers(text), ourLayers(t, text)
	if strings.Join(got, "\x00") != strings.Join(want, "\x00") || len(got) != len(want) {
		t.Errorf("%q\nthe library: %q\nwe:          %q", text, want, got)
	}
	return len(got)
}

// What a user loses when this fails: a secret that the library finds behind an encoding.
func TestTextsAreDecodedAsTheLibraryDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	s := libraryRules(t)
	layers := 0
	for range 2000 {
		var b strings.Builder
		for range 1 + r.IntN(4) {
			noise(r, s, &b, r.IntN(5))
			text := "a value that is encoded, " + strings.Repeat("x1", r.IntN(9))
			for range r.IntN(4) {
				text = disguise(r, text)
			}
			b.WriteString(text[:len(text)-r.IntN(3)])
			b.WriteString([]string{"", "=", "==", "===", "%", "%4", "%41", "\n", " ", "U+0041", `\u00`, `\`, "-", "a"}[r.IntN(14)])
		}
		layers += sameLayers(t, b.String())
	}
	if layers < 2000 {
		t.Errorf("only %d layers: the samples test nothing", layers)
	}
	for _, text := range []string{
		"", "%", "%4", "%41", "%41%", "%ff", "a%20b\n%20", `\u0041`, `\\u0041\U0042`, `\\\u0041`, "U+0041", "U+0041 U+0042\nU+0043", "abcU+0041 ", "U+00411",
		strings.Repeat("4a", 16), strings.Repeat("4a", 16) + "4", strings.Repeat("4a", 16) + "zzzzzzzzzzzzzzzzzzzz", "z" + strings.Repeat("4a", 16),
		"aGVsbG8gd29ybGQgMTIz%3D", "%3DaGVsbG8gd29ybGQgMTIz", "aGVsbG8gd29ybGQgMTIzNA==", "aGVsbG8gd29ybGQgMTIzNA", "aGVsbG8gd29ybGQgMTIzNA===", `\ud800\u0000`,
	} {
		sameLayers(t, text)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("token%3DaGVsbG8gd29ybGQgMTIzNA== U+0041 \\u0042 " + strings.Repeat("4a", 20))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 1<<16 {
			sameLayers(t, text)
		}
	})
}

// Every rule's samples, in one to three encodings inside each other, in text that is not
// encoded, half encoded, or encoded as a whole.
func TestDecodedSecretsAreThoseOfTheLibrary(t *testing.T) {
	s, d := libraryRules(t), theirs(t)
	r := rand.New(rand.NewPCG(7, 8))
	found, decoded := 0, 0
	for _, rule := range s.rules {
		if rule.Regex == "" || rule.Path != "" {
			continue
		}
		re, err := syntax.Parse(rule.Regex, syntax.Perl)
		must(t, err)
		var all strings.Builder
		for range 2 {
			noise(r, s, &all, r.IntN(10))
			var one strings.Builder
			sample(r, re, &one)
			text := one.String()
			if i := r.IntN(len(text) + 1); r.IntN(2) == 0 { // the name stands, the value is encoded
				all.WriteString(text[:i])
				text = text[i:]
			}
			for range 1 + r.IntN(3) {
				if text != "" {
					text = disguise(r, text)
				}
			}
			all.WriteString(text)
			all.WriteString([]string{"", " ", "\n", "\"\n", "\n\n"}[r.IntN(5)])
		}
		found += compare(t, s, d, "src/a.txt", []byte(all.String()))
		deep, err := s.findDecoded(t.Context(), "src/a.txt", []byte(all.String()), false)
		must(t, err)
		decoded += len(deep)
	}
	t.Logf("%d findings equal, %d of them decoded", found, decoded)
	if decoded < 50 {
		t.Errorf("only %d findings were decoded: the samples test nothing", decoded)
	}
}

func TestAnEncodedSecretIsToldWhereItStands(t *testing.T) {
	once := base64.StdEncoding.EncodeToString([]byte("\n\napi_key=\"" + generic1 + "\"\n"))
	twice := hex.EncodeToString([]byte(url.QueryEscape("other_token=\"" + generic2 + "\"\n")))
	r := searched(t, map[string]string{"a.txt": "# one\n# two\ndata: " + once + "\n", "b.txt": "x\n" + twice + "\n"}, SecretsOptions{})
	if len(r.Hits) != 2 || !r.Complete {
		t.Fatalf("hits: %+v", r.Hits)
	}
	if h := r.Hits[0]; h.Path != "a.txt" || h.Line != 3 || !strings.Contains(h.Message, "encoded as base64") {
		t.Errorf("hit: %+v", h)
	}
	if h := r.Hits[1]; h.Line != 2 || !strings.Contains(h.Message, "encoded as percent and hex, 2 inside each other") {
		t.Errorf("hit: %+v", h)
	}
	if told(r, "not decoded") {
		t.Error("the report says that values were not decoded")
	}
}

// One value is one hit, though two searches met it.
func TestAValueThatIsFoundTwiceIsOneHit(t *testing.T) {
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct{ name, text, want string }{
		{"a generic value", "api_key: " + encoded("one "+generic1+generic2) + "\n", "generic-api-key"},
		{"a value that its decoded form names", "api_key: " + encoded(token) + "\n", "github-pat"},
		{"a Kubernetes secret", "kind: Secret\nmetadata: {name: a}\ndata:\n  password: " + encoded(generic1+generic2) + "\n", "generic-api-key kubernetes-secret-yaml"},
		{"two values in one line", "api_key: \"" + generic2 + "\", x: \"" + encoded("other_token='"+token+"'") + "\"\n", "generic-api-key github-pat"},
	} {
		var found []string
		for _, h := range searched(t, map[string]string{"a.yaml": c.text}, SecretsOptions{}).Hits {
			found = append(found, h.Detector)
		}
		slices.Sort(found)
		if got := strings.Join(found, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Encodings inside each other end at a depth, and many of them end in a report.
func TestADecodeBombIsBounded(t *testing.T) {
	deep := "api_key=\"" + generic1 + "\"\n"
	for range maxDecode + 1 {
		deep = base64.StdEncoding.EncodeToString([]byte(deep))
	}
	s := libraryRules(t)
	started := time.Now()
	found, err := s.find(t.Context(), "a.txt", []byte(deep))
	must(t, err)
	if len(found) != 0 {
		t.Errorf("six encodings inside each other were taken off: %d found", len(found))
	}
	wide := strings.Repeat("%2525252541 \\u0041 U+0041 aGVsbG8gd29ybGQgMTIz\n", 20_000)
	if _, err := s.find(t.Context(), "a.txt", []byte(wide)); err != nil {
		t.Error(err)
	}
	if _, err := s.find(t.Context(), "a.txt", []byte(strings.Repeat("%41\n", maxEncoded+1))); !errors.Is(err, errEncoded) {
		t.Errorf("more encoded values than are kept: %v", err)
	}
	if took := time.Since(started); took > 60*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestTooManyEncodedValuesBlock(t *testing.T) {
	r := searched(t, map[string]string{"a.txt": "api_key=\"" + generic1 + "\"\n" + strings.Repeat("%41\n", maxEncoded+1)}, SecretsOptions{})
	gap(t, r.NotChecked, "a.txt: the search did not finish: it holds more than", true)
	if r.Complete || len(r.Hits) != 1 {
		t.Errorf("what was found before was lost, or the report is complete: %+v", r.Hits)
	}
}
