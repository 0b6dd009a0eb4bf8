package decisionmap

import (
	"bytes"
	"fmt"
	"testing"
)

func TestWhatShowWritesLoadsAsTheSameMap(t *testing.T) {
	m := load(t, "schema: verdict/v1\nservice: payments-api\nteam: payments\nowner: lead@acme.example\npoints: [{id: ci.iac, mode: observe}]\n")
	var b bytes.Buffer
	if err := Show(m, &b, "yaml"); err != nil {
		t.Fatal(err)
	}
	fmt.Println(b.String())
	again, err := Load("shown.yaml", b.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if again.Digest() != m.Digest() {
		t.Errorf("the digest is another")
	}
}
