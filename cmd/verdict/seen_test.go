package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/ledger"
)

// A server that is asked by two commands at once, and shows each of them another log, is found out
// by the next one, whichever of the two ended last.
func TestWhatTwoCommandsWereShownAtOnceIsBothRemembered(t *testing.T) {
	a := &app{env: environment{"XDG_STATE_HOME": t.TempDir()}}
	const server = "https://verdict.acme.example"
	of := func(checkpoint string) ledger.Seen { return ledger.Seen{Origin: "log.example", Checkpoint: checkpoint} }
	keep := func(before, seen []ledger.Seen) {
		t.Helper()
		if err := a.keepSeen(server, before, seen); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want ...ledger.Seen) {
		t.Helper()
		if got, err := a.seen(server); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	}
	first := []ledger.Seen{of("1")}
	keep(nil, first)
	keep(first, []ledger.Seen{of("2")})
	keep(first, []ledger.Seen{of("another 2")})
	is(of("another 2"), of("2"))
	keep(first, first) // one that found nothing to remember
	is(of("another 2"), of("2"))
	keep([]ledger.Seen{of("another 2"), of("2")}, []ledger.Seen{of("3")})
	is(of("3"))
}

// What cannot be read is said, and never taken for a server that was not seen before; what could
// not be read again is not written.
func TestWhatIsRememberedIsNeverLostSilently(t *testing.T) {
	state := t.TempDir()
	a := &app{env: environment{"XDG_STATE_HOME": state}}
	path := filepath.Join(state, "verdict", "seen.json")
	seen := []ledger.Seen{{Origin: "log.example"}}
	if err := a.keepSeen("https://a.example", nil, seen); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	err = a.keepSeen("https://b.example", nil, []ledger.Seen{{Origin: "log.example", Checkpoint: strings.Repeat("x", maxSeen)}})
	if e := verdict.AsError(err); e.Code != verdict.CodeUnavailable || e.Remedy == "" {
		t.Errorf("%v", err)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(kept) {
		t.Errorf("%s, %v", now, err)
	}
	for _, torn := range []string{"", "null", string(kept[:len(kept)/2]), `{"https://a.example": [{"origin": 1}]}`} {
		if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := a.seen("https://a.example")
		if e := verdict.AsError(err); err == nil || e.Code != verdict.CodeInvalid || !strings.Contains(e.Remedy, "--against") {
			t.Errorf("%q: %v", torn, err)
		}
		if err := a.keepSeen("https://a.example", nil, seen); err == nil {
			t.Errorf("%q is written over", torn)
		}
	}
}
