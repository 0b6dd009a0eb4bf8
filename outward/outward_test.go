package outward

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

// A token that goes to a wrong address is somebody else's.
func TestCredentialsGoByHTTPSOrStayHere(t *testing.T) {
	for address, safe := range map[string]bool{
		"https://api.example":         true,
		"https://api.example/base":    true,
		"http://localhost:8080":       true,
		"http://127.0.0.1:8080":       true,
		"http://127.9.9.9":            true,
		"http://[::1]:80":             true,
		"http://[::ffff:127.0.0.1]":   true,
		"http://api.example":          false,
		"http://localhost.example":    false,
		"http://127.0.0.1.example":    false,
		"http://10.0.0.1":             false,
		"http://[::1%25lo]":           false,
		"http://0.0.0.0":              false,
		"http://2130706433":           false,
		"ftp://localhost":             false,
		"https://user@api.example":    false,
		"https://api.example?to=else": false,
		"https://api.example#part":    false,
		"https:///path":               false,
		"//localhost":                 false,
		"api.example":                 false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if Safe(u) != safe {
			t.Errorf("%s: %v", address, !safe)
		}
	}
}

func TestAPauseEndsWithTheTimeOrTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := Pause(t.Context(), time.Hour); err != nil || time.Since(begun) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun = time.Now()
		if err := Pause(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}
