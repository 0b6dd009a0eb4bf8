package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// everywhere asks each route that reads for whatever it has, entry by entry, and gives all that
// one caller is told, with what is packed in base64 unpacked.
func (x *served) everywhere(as string, c contract) map[string]string {
	x.t.Helper()
	told := map[string]string{}
	ask := func(method, path, body string) {
		status, text := x.do(as, method, path, body)
		told[fmt.Sprintf("%s %s %s: %d", method, path, body, status)] = text + unpacked(text)
	}
	size := x.entries()
	known := []string{pictureD, url.QueryEscape(pictured), "sha256:11", "d"}
	for path, methods := range c.Paths {
		if _, reads := methods["get"]; !reads || strings.HasSuffix(path, "/events") {
			continue
		}
		switch {
		case strings.Contains(path, "{index}"):
			for i := range size + 1 {
				ask("GET", strings.Replace(path, "{index}", fmt.Sprint(i), 1), "")
			}
		case strings.Contains(path, "{"):
			for _, k := range known {
				at := strings.NewReplacer("{id}", k, "{digest}", k, "{environment}", "production").Replace(path)
				ask("GET", at, "")
			}
		default:
			for _, q := range []string{"", "?from=0", "?from=0&to=1", "?limit=1000", "?all=true", "?ended=true", "?kind=sbom", "?origin=x", "?time=2126-01-01T00:00:00Z", "?what=" + url.QueryEscape("pkg:npm/lodash"), "?component=o", "?licence=MIT"} {
				ask("GET", path+q, "")
			}
			for _, k := range known {
				for _, name := range []string{"ref", "subject", "digest"} {
					ask("GET", path+"?"+name+"="+k, "")
				}
			}
		}
	}
	for _, kind := range []string{"exception", "approval", "deployment", "proposal", "vex", "sbom"} {
		ask("GET", "/api/v1/standing?kind="+kind, "")
	}
	for _, body := range []string{
		`{"packages":[{"ecosystem":"npm","name":"lodash","spelled":false,"bounded":false}],"named":"","licence":false,"counted":false,"at":-1,"environment":"","limit":50,"told":{"names":[],"versions":[],"licences":[],"producers":[]}}`,
		`{"packages":[{"ecosystem":"npm","name":"x","spelled":true,"bounded":true}],"named":"","licence":false,"counted":true,"at":-1,"environment":"","limit":50,"told":{"names":[],"versions":[],"licences":[],"producers":[]}}`,
		`{"packages":[],"named":"o","licence":false,"counted":false,"at":-1,"environment":"","limit":50,"told":{"names":[],"versions":[],"licences":[],"producers":[]}}`,
		`{"packages":[],"named":"","licence":true,"counted":true,"at":-1,"environment":"","limit":50,"told":{"names":[],"versions":[],"licences":[],"producers":[]}}`,
	} {
		ask("POST", "/api/v1/where", body)
	}
	for _, counted := range []string{"true", "false"} {
		ask("POST", "/api/v1/listed", `{"artifact":"`+pictureD+`","at":-1,"counted":`+counted+`,"told":{"names":[],"versions":[],"licences":[],"producers":[]}}`)
	}
	ask("GET", "/log/checkpoint", "")
	for _, tile := range []string{"tile/0/000.p/", "tile/entries/000.p/", "tile/1/000.p/"} {
		ask("GET", fmt.Sprintf("/log/%s%d", tile, size), "")
	}
	told["events"] = x.heard(as, size)
	return told
}

// heard is what live events name of the whole log.
func (x *served) heard(as string, size int64) string {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", x.http.URL+"/api/v1/events", nil)
	if err != nil {
		x.t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + as}, "Last-Event-Id": {"0"}}
	res, err := x.http.Client().Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	defer res.Body.Close()
	var all strings.Builder
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		if lines.Text() == fmt.Sprintf("id: %d", size) {
			cancel()
		}
	}
	return all.String()
}

// unpacked are the parts of a text that are base64, as they are meant.
func unpacked(text string) string {
	var out strings.Builder
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("\"{}[]:, \n\\", r) }) {
		if b, err := base64.StdEncoding.DecodeString(word); err == nil && len(b) > 16 {
			out.Write(b)
			out.WriteString(unpacked(string(b)))
		}
	}
	return out.String()
}

// What all routes together tell who may see another service must not hold a word of this one:
// neither what it is made of, nor what was decided, nor the digest by which its bytes are had.
func TestNoRouteTellsWhatLiesOutsideOfAScope(t *testing.T) {
	x, c, _ := wholeAPI(t)
	secrets := []string{"lodash", "4.17.20", "ghcr.io/acme/shop", "artifact.trust"}
	var bill string
	for _, e := range x.bills() {
		secrets = append(secrets, strings.TrimPrefix(e, "sha256:"))
		bill = e
	}
	if bill == "" {
		t.Fatal("no bill is there to hide")
	}
	open := x.everywhere("viewer", c)
	all := strings.Builder{}
	for _, text := range open {
		all.WriteString(text)
	}
	for _, secret := range secrets {
		if !strings.Contains(all.String(), secret) {
			t.Errorf("not even who may see all of it is told %s: this test looks for nothing", secret)
		}
	}
	answered := 0
	for asked, text := range x.everywhere("narrow", c) {
		words, err := url.QueryUnescape(asked)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(asked, ": 200") {
			answered++
		}
		if strings.HasSuffix(asked, ": 500") {
			t.Errorf("%s: %s", asked, text)
		}
		for _, secret := range secrets {
			if secret == "artifact.trust" && strings.Contains(asked, "/api/v1/map") {
				continue // the map is everybody's, and names all points
			}
			// What the caller himself asked for may come back to him in words.
			if strings.Contains(text, secret) && !strings.Contains(words, secret) {
				t.Errorf("%s tells %s to who may not see it: %.600s", asked, secret, text)
			}
		}
	}
	if answered < 40 {
		t.Errorf("only %d questions were answered", answered)
	}
}

// bills are the digests of the evidence about the image.
func (x *served) bills() (out []string) {
	x.t.Helper()
	_, text := x.get("viewer", "/api/v1/entries?kind=sbom")
	for _, word := range strings.Split(text, `"`) {
		if strings.HasPrefix(word, "sha256:") && word != pictureD && !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}
