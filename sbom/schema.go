package sbom

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"verdict"
)

// schemas are the published ones, byte for byte; their README says where they are from.
//
//go:embed third_party/cyclonedx/*.json
var schemas embed.FS

const (
	schemaFolder = "third_party/cyclonedx/"
	schemaBase   = "http://cyclonedx.org/schema/" // their ids begin so; nothing is fetched
)

// cycloneDX is the schema of version 1.6. It is compiled when it is first asked for.
var cycloneDX = sync.OnceValues(func() (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range []string{"bom-1.6.schema.json", "spdx.schema.json", "jsf-0.82.schema.json"} {
		b, err := schemas.ReadFile(schemaFolder + name)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(schemaBase+name, doc); err != nil {
			return nil, err
		}
	}
	return c.Compile(schemaBase + "bom-1.6.schema.json")
})

// ValidateCycloneDX holds a document to the published schema of CycloneDX 1.6. What does
// not hold is an *verdict.Error with CodeInvalid.
func ValidateCycloneDX(document []byte) error {
	schema, err := cycloneDX()
	if err != nil {
		return fmt.Errorf("the schema of CycloneDX 1.6: %w", err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err == nil {
		err = schema.Validate(v)
	}
	if err == nil {
		return nil
	}
	what := "the document is no JSON"
	var wrong *jsonschema.ValidationError
	if errors.As(err, &wrong) {
		what = "the document does not hold the schema of CycloneDX 1.6"
	}
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: what, Remedy: "let the tool that wrote it write CycloneDX 1.6 as JSON", Err: err,
	}
}
