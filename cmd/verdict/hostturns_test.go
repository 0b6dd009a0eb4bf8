package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"verdict/server/wire"
)

// A reader who sends map after map to be looked at keeps no pipeline waiting that sends one to be
// decided by.
func TestOneCallerDoesNotHaveAllPlacesForMaps(t *testing.T) {
	x := servingData(t, oneImage(t))
	for len(x.host.reading) < maxReading/2 { // as one caller has them at work
		end, err := x.host.begin(t.Context(), &wire.RepositoryMap{})
		if err != nil {
			t.Fatal(err)
		}
		defer end()
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := x.host.begin(short, &wire.RepositoryMap{}); err == nil {
		t.Error("one caller has more than half of the places")
	}
	if len(x.host.reading) != maxReading/2 {
		t.Errorf("%d places are taken", len(x.host.reading))
	}
	if status, body := x.do("viewer", "POST", "/api/v1/map/lint", fmt.Sprintf(`{"content":%q}`, "schema: verdict/v1\n")); status != 200 {
		t.Errorf("somebody else: %d %s", status, body)
	}
	if n := len(x.host.turns.of); n != 1 {
		t.Errorf("%d callers are remembered", n)
	}
}
