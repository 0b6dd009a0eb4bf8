package sbom

import (
	"crypto/sha256"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"verdict"
)

// The schemas are the published ones: a changed one would let pass what others refuse.
func TestTheSchemasAreThePublishedOnes(t *testing.T) {
	said, err := os.ReadFile("third_party/cyclonedx/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([0-9a-f]{64})` \\|$").FindAllStringSubmatch(string(said), -1)
	files, err := schemas.ReadDir(strings.TrimSuffix(schemaFolder, "/"))
	if err != nil || len(files) != len(rows) || len(rows) != 10 {
		t.Fatalf("%d files, %d digests, %v", len(files), len(rows), err)
	}
	for _, row := range rows {
		b, err := schemas.ReadFile(schemaFolder + row[1])
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != row[2] {
			t.Errorf("%s has the digest %s", row[1], got)
		}
	}
}

// A validator that accepts everything would say nothing about what we write.
func TestWhatIsNoCycloneDXIsRefused(t *testing.T) {
	good := string(written(t, sample(t).WriteCycloneDX))
	for name, text := range map[string]string{
		"no JSON": "{", "no object": "[]", "another format": `{"bomFormat":"SPDX","specVersion":"1.6"}`,
		"an unknown field":        strings.Replace(good, `"version":`, `"versions":`, 1),
		"an unknown licence id":   strings.Replace(good, `"id":"MIT"`, `"id":"MITx"`, 1),
		"a hash that is none":     strings.Replace(good, `"content":"ab`, `"content":"zz`, 1),
		"an unknown degree":       strings.Replace(good, `"aggregate":"incomplete"`, `"aggregate":"whole"`, 1),
		"a serial number of ours": strings.Replace(good, "urn:uuid:", "urn:verdict:", 1),
		"a time that is none":     strings.Replace(good, "2026-11-20T09:00:00Z", "today", 1),
	} {
		err := ValidateCycloneDX([]byte(text))
		if e := verdict.AsError(err); text == good || e == nil || e.Code != verdict.CodeInvalid || e.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
