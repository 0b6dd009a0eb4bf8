package sbom

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemas are the published ones, byte for byte; their README says where they are from.
//
//go:embed third_party/cyclonedx/*.json
var schemas embed.FS

const (
	schemaFolder = "third_party/cyclonedx/"
	schemaBase   = "http://cyclonedx.org/schema/" // their ids begin so; nothing is fetched

	// The ids of licences, as SPDX 3.17 and 3.29 list them. What we write has ids of the old
	// list, which every reader knows; what we read may have any.
	oldLicences = "spdx.schema.json"
	newLicences = "spdx-3.29.schema.json"
)

// forms are what is asked of the forms for which no schema is published that could be taken
// along. They are ours.
//
//go:embed forms
var forms embed.FS

// cycloneDXSchemas are the schemas by version. 1.2 and 1.3 have two: the strict one refuses
// members that it does not know, as all later ones do. Each is compiled when it is first
// asked for, which takes some 15 ms.
var cycloneDXSchemas = map[string]func() (*rule, error){
	"1.2": published("bom-1.2-strict.schema.json"), "1.3": published("bom-1.3-strict.schema.json"),
	"1.4": published("bom-1.4.schema.json"), "1.5": published("bom-1.5.schema.json"),
	"1.6": published("bom-1.6.schema.json"), "1.7": published("bom-1.7.schema.json"),
}

var spdx2Schema, spdx3Schema = ours("spdx-2.json"), ours("spdx-3.json")

func published(name string) func() (*rule, error) {
	return sync.OnceValues(func() (*rule, error) {
		return compile(schemas, schemaFolder, name, newLicences, "jsf-0.82.schema.json", "cryptography-defs.schema.json")
	})
}

func ours(name string) func() (*rule, error) {
	return sync.OnceValues(func() (*rule, error) { return compile(forms, "forms/", name) })
}

// compile makes the rules of the first of the files; the others are what it refers to.
func compile(from embed.FS, folder string, files ...string) (*rule, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, file := range files {
		b, err := from.ReadFile(folder + file)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		if file == newLicences {
			file = oldLicences // which the schemas refer to, of whatever time
		}
		if err := c.AddResource(schemaBase+file, doc); err != nil {
			return nil, err
		}
	}
	s, err := c.Compile(schemaBase + files[0])
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", files[0], err)
	}
	m := ruleMaker{made: map[*jsonschema.Schema]*rule{}}
	r := m.rule(s)
	return r, m.err
}

// ValidateCycloneDX holds a JSON document to the published schema of the version of
// CycloneDX that it says. What does not hold is an *verdict.Error with CodeInvalid.
func ValidateCycloneDX(document []byte) error {
	d, err := openJSON(document)
	if err != nil {
		return err
	}
	r := billReader{validate: true}
	return r.cycloneDX(d)
}

// maxSchemaReasons is how many reasons are told of one value.
const maxSchemaReasons = 5

// why says what a value lacks that does not hold, in the words of the library.
func (r *rule) why(t *jsonTree, n node, place string) string {
	err := r.source.Validate(t.plain(n))
	if err == nil { // the two differ, and a test looks for it; the stricter one counts
		return place + ": it does not hold the schema"
	}
	var reasons []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		path, what, ok := strings.Cut(strings.TrimPrefix(strings.TrimLeft(line, " "), "- at '"), "': ")
		if !ok || !strings.Contains(line, "- at '") {
			continue
		}
		if len(reasons) == maxSchemaReasons {
			reasons = append(reasons, "…")
			break
		}
		reasons = append(reasons, cut(place+path+": "+what, 300))
	}
	return strings.Join(reasons, "; ")
}
