package forge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"verdict"
)

// Whoever sends a check names where it is answered. If one of these were connected to, the
// server would carry a stranger's request to the metadata service of its cloud.
func TestInternalAddressesAreNotConnectedTo(t *testing.T) {
	for _, ip := range []string{
		"127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "0.0.0.0", "0.1.2.3", "169.254.169.254", "168.63.129.16", "224.0.0.1", "255.255.255.255",
		"[::1]", "[::]", "[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[64:ff9b:1::1]",
	} {
		if err := permitted(strings.ReplaceAll(ip, "%25", "%")+":443", false); !errors.Is(err, ErrInternal) {
			t.Errorf("%s: %v", ip, err)
		}
	}
	for _, ip := range []string{"20.190.1.1", "140.82.121.4", "[2620:1ec:21::14]", "[64:ff9b::8c52:7904]", "172.32.0.1", "100.128.0.1"} {
		if err := permitted(ip+":443", false); err != nil {
			t.Errorf("%s is an address of the Internet: %v", ip, err)
		}
	}
	if permitted("10.0.0.1:443", true) != nil || permitted("127.0.0.1:443", true) != nil {
		t.Error("a forge in the network that the configuration names is refused")
	}
	for _, ip := range []string{"169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]"} {
		if permitted(ip+":80", true) == nil {
			t.Errorf("the configuration opens the way to %s", ip)
		}
	}
	if permitted("no address", true) == nil {
		t.Error("what cannot be read is connected to")
	}
}

// A name that leads to this machine is refused when the connection is made, whatever it led
// to when it was looked at before; and so is a redirect there.
func TestNamesAreLookedAtWhenTheConnectionIsMade(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}")
	}))
	defer s.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost:" + u.Port(), u.Host} {
		c, err := NewClient(API{Forge: Azure, Base: "http://" + host, Remedy: func(int) string { return "x" }}, Options{Transport: Guarded(nil)})
		if err != nil {
			t.Fatal(err)
		}
		var into struct{}
		err = c.Get(t.Context(), "/x", &into)
		if e := verdict.AsError(err); err == nil || e.Code != verdict.CodeForbidden || !errors.Is(err, ErrInternal) || !strings.Contains(e.Remedy, "internal:") || asked != 0 {
			t.Errorf("%s: %v, asked %d times", host, err, asked)
		}
	}
	c, err := NewClient(API{Forge: Azure, Base: s.URL, Remedy: func(int) string { return "x" }}, Options{Transport: Guarded([]string{u.Hostname()})})
	if err != nil {
		t.Fatal(err)
	}
	var into struct{}
	if err := c.Get(t.Context(), "/x", &into); err != nil || asked != 1 {
		t.Errorf("a host that the configuration names: %v", err)
	}
}

// A POST of which nobody knows whether it was done is not sent again by itself: it would make
// a second check run. One that was throttled was not done.
func TestWritesAreRepeatedWhereTheyWereNotDone(t *testing.T) {
	for _, c := range []struct {
		name, method string
		first        int
		header       string
		tries        int
		code         verdict.Code
	}{
		{"a throttle", http.MethodPost, 429, "7", 2, ""},
		{"a POST in doubt", http.MethodPost, 502, "", 1, verdict.CodeUnavailable},
		{"a PATCH in doubt", http.MethodPatch, 502, "", 2, ""},
		{"a conflict", http.MethodPost, 409, "", 1, verdict.CodeConflict},
		{"what is not taken", http.MethodPost, 422, "", 1, verdict.CodeInvalid},
		{"a right that lacks", http.MethodPost, 403, "", 1, verdict.CodeForbidden},
		{"a redirect", http.MethodPost, 307, "", 1, verdict.CodeUnavailable},
	} {
		tries := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if tries++; tries == 1 {
				w.Header().Set("Content-Type", "application/json")
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.first)
				_, _ = io.WriteString(w, `{"message":"no"}`)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		}))
		var waited time.Duration
		client, err := NewClient(API{Forge: GitHub, Base: s.URL, Remedy: func(int) string { return "look" }}, Options{Wait: func(_ context.Context, d time.Duration) error { waited += d; return nil }})
		if err != nil {
			t.Fatal(err)
		}
		err = client.Send(t.Context(), c.method, "/x", struct{}{}, nil)
		if e := verdict.AsError(err); tries != c.tries || (err == nil) != (c.code == "") || err != nil && (e.Code != c.code || e.Remedy == "") {
			t.Errorf("%s: %d tries, %v", c.name, tries, err)
		}
		if c.header != "" && waited != 7*time.Second {
			t.Errorf("%s: waited %v", c.name, waited)
		}
		s.Close()
	}
}

func TestSecretsAndShapesOfDeliveries(t *testing.T) {
	s := Secrets{[]byte("old"), []byte("new\n")}
	if !s.Holds("old") || !s.Holds("new") || s.Holds("") || s.Holds("ol") || s.Holds("older") || (Secrets{}).Holds("") || (Secrets{nil, []byte(" \n")}).Holds("") || (Secrets{nil}).Signs(nil) {
		t.Error("a secret that is none is taken, or one that is one is not")
	}
	if err := DecodeHook([]byte(strings.Repeat(`{"a":[`, 40)), new(any)); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("JSON of 80 levels: %v", err)
	}
	if err := DecodeHook([]byte(`{"a":"[[[[\"[[`+strings.Repeat("[", 200)+`"}`), new(any)); err != nil {
		t.Errorf("brackets in a text are no depth: %v", err)
	}
	for _, h := range []http.Header{
		{}, {"Content-Type": {"application/x-www-form-urlencoded"}}, {"Content-Type": {"text/json"}}, {"Content-Type": {"application/json", "text/plain"}},
		{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, {"Content-Type": {"application/json;;"}},
	} {
		if CheckJSON(h) == nil {
			t.Errorf("%v passes for JSON", h)
		}
	}
	if err := CheckJSON(http.Header{"Content-Type": {"application/json; charset=utf-8"}}); err != nil {
		t.Error(err)
	}
	if _, err := ReadBody(strings.NewReader("12345"), 4); verdict.AsError(err).Code != verdict.CodeLimit {
		t.Error(err)
	}
	if got := Clip("aä€ö", 6); got != "aä…" {
		t.Errorf("%q", got)
	}
}
