package server

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"verdict"
	"verdict/store"
)

// Whoever asks a server whose database is down cannot mend it: he is told to wait and whom to
// tell, and not how its address is written.
func TestAnOutageOfTheDatabaseIsTheOperatorsToMend(t *testing.T) {
	err := fmt.Errorf("read the head: %w", &verdict.Error{
		Code: verdict.CodeForbidden, What: "PostgreSQL does not let this user do that", Remedy: "grant the user of verdict CREATE", Err: errors.Join(store.ErrEngine),
	})
	p := problemOf(err)
	if p.Status != 503 || p.Code != verdict.CodeUnavailable || !strings.Contains(p.What, "PostgreSQL does not let") || strings.Contains(p.Remedy, "grant") || !strings.Contains(p.Remedy, "operator") {
		t.Errorf("%+v", p)
	}
	if p := problemOf(&verdict.Error{Code: verdict.CodeForbidden, What: "no", Remedy: "ask"}); p.Status != 403 || p.Remedy != "ask" {
		t.Errorf("%+v", p)
	}
}
