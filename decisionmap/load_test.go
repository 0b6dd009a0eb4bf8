package decisionmap

import "testing"

func TestTheBuiltinMapLoads(t *testing.T) {
	m := Builtin()
	if p, ok := m.Point("ci.secrets"); !ok || p.Mode != "block" || p.Produces.Retain == 0 {
		t.Fatalf("ci.secrets of the built-in map is %+v", p)
	}
	for _, p := range m.Points {
		if p.Layer != "ci" && p.Mode != "observe" {
			t.Errorf("%s is in %s; without a map only ci points block", p.ID, p.Mode)
		}
	}
	b, err := m.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load("again", b)
	if err != nil {
		t.Fatal(err)
	}
	if again.Digest() != m.Digest() {
		c, _ := again.Canonical()
		t.Errorf("the canonical form loads as another map:\n%s\n%s", b, c)
	}
}
