// Package openapi holds the document of the API against the schema of OpenAPI 3.1, by a
// validator that others wrote.
package openapi

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

// Tools that people make clients with read the document: one that is none of OpenAPI 3.1 is
// of no use to them.
func TestTheDocumentOfTheAPIIsOpenAPI(t *testing.T) {
	text := served(t)
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	if v := doc.GetVersion(); v != "3.1.0" {
		t.Errorf("the document says that it is OpenAPI %s", v)
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, wrong := v.ValidateDocument(); !ok {
		for _, w := range wrong {
			t.Errorf("%s: %s", w.Message, w.Reason)
			for _, s := range w.SchemaValidationErrors {
				t.Errorf("  %s: %s", s.FieldPath, s.Reason)
			}
		}
	}
	m, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	if n := m.Model.Paths.PathItems.Len(); n < 30 {
		t.Errorf("it describes %d paths", n)
	}
}

// served starts the program and gives its document.
func served(t *testing.T) []byte {
	t.Helper()
	program := os.Getenv("VERDICT_BIN")
	if program == "" {
		t.Skip("SKIP VERDICT_BIN names no program: make test-peers builds and names it")
	}
	home := t.TempDir()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, program, "serve", "--listen", "127.0.0.1:0", "--ops-listen", "off", "--data", home+"/data")
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it was told to stop
	}()
	address := ""
	for lines := bufio.NewScanner(out); address == "" && lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == "api" {
			address = f[1]
		}
	}
	if address == "" {
		t.Fatal("verdict serve did not say where it listens")
	}
	res, err := http.Get(address + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", res.Status, err)
	}
	return text
}
