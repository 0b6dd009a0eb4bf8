package peers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"
)

// document is a JSON document that a test takes apart and changes.
type document map[string]any

func readJSON(t *testing.T, path string) document {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

func (d document) writeJSON(t *testing.T, path string) string {
	t.Helper()
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// within descends into objects by name and into lists by index.
func (d document) within(t *testing.T, path ...any) document {
	t.Helper()
	var at any = map[string]any(d)
	for _, step := range path {
		switch step := step.(type) {
		case string:
			at = at.(map[string]any)[step]
		case int:
			at = at.([]any)[step]
		}
		if at == nil {
			t.Fatalf("the bundle has nothing at %v", path)
		}
	}
	return at.(map[string]any)
}

// flip changes one bit in the middle of a base64 field.
func (d document) flip(t *testing.T, field string) {
	t.Helper()
	text, _ := d[field].(string)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) == 0 {
		t.Fatalf("field %s holds no base64: %q", field, text)
	}
	data[len(data)/2] ^= 1
	d[field] = base64.StdEncoding.EncodeToString(data)
}

// reletter changes a letter behind some words inside a base64 field. What is changed is
// base64 itself and stays that: a flipped bit would now and then be no letter at all.
func (d document) reletter(t *testing.T, field, behind string) {
	t.Helper()
	text, _ := d[field].(string)
	data, err := base64.StdEncoding.DecodeString(text)
	at := bytes.Index(data, []byte(behind))
	if err != nil || at < 0 {
		t.Fatalf("field %s does not hold %s: %q", field, behind, data)
	}
	at += len(behind) + 20
	if data[at]++; data[at] != 'B' {
		data[at] = 'A'
	}
	d[field] = base64.StdEncoding.EncodeToString(data)
}

func payloadOf(t *testing.T, bundle document) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(bundle.within(t, "dsseEnvelope")["payload"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
