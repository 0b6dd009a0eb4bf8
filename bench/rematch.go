package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// newAdvisories are about the package of a popularity, in versions below 1.8.0: every
// two-hundredth artifact lists one, and every fortieth the other.
var newAdvisories = []struct {
	name, id string
	rank     int
}{{"tail", "GHSA-tttt-tttt-tttt", 9_000}, {"common", "GHSA-cccc-cccc-cccc", 1_000}}

// rematch measures the program when one more advisory becomes known: which of 100,000
// artifacts it is about is looked up, each of these is matched again and its report signed
// and recorded, and findings are opened for what runs.
func rematch(ctx context.Context, w io.Writer, o options, f figures) error {
	program, err := o.absolute()
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "verdict-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	h := homeOf{program, home}
	if err := h.filled(ctx, w); err != nil {
		return err
	}
	facts := filepath.Join(home, "facts")
	said := filepath.Join(home, "said.json")
	imported := func() (time.Duration, error) {
		return h.command(ctx, program, "advisories", "import", facts, "--name", "npm", "--covers", "npm", "--as-of", time.Now().UTC().Format(time.RFC3339), "-o", "json="+said)
	}
	if err := put(filepath.Join(facts, "first.json"), advisoryOf("GHSA-aaaa-aaaa-aaaa", "nobody-has-this")); err != nil {
		return err
	}
	if _, err := imported(); err != nil {
		return err
	}
	for _, x := range newAdvisories {
		if err := put(filepath.Join(facts, x.name+".json"), advisoryOf(x.id, fmt.Sprintf("package-%d", x.rank))); err != nil {
			return err
		}
		took, err := imported()
		if err != nil {
			return err
		}
		var d struct {
			Rematched struct {
				Artifacts int `json:"artifacts"`
				Opened    int `json:"findings_opened"`
			} `json:"rematched"`
		}
		raw, err := os.ReadFile(said)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &d); err != nil {
			return err
		}
		n := d.Rematched.Artifacts
		if n == 0 || d.Rematched.Opened == 0 {
			return fmt.Errorf("the advisory about package-%d changed %d artifacts and opened %d findings: nothing was measured", x.rank, n, d.Rematched.Opened)
		}
		f.set("rematch", x.name, "ms", float64(took)/1e6)
		f.set("rematch", x.name, "ms/artifact", float64(took)/1e6/float64(n))
		fmt.Fprintf(w, "one new advisory, %s package: %v, %d artifacts matched again, %d findings opened\n", x.name, took.Round(time.Millisecond), n, d.Rematched.Opened)
	}
	return nil
}

// filled lets the program begin its ledger, and fills it as the room of the ledger does.
func (h homeOf) filled(ctx context.Context, w io.Writer) error {
	bill, subject := filepath.Join(h.dir, "bom.json"), filepath.Join(h.dir, "app.tar")
	if err := errors.Join(put(bill, `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1}`), put(subject, "app")); err != nil {
		return err
	}
	if _, err := h.command(ctx, h.program, "attest", "sbom", bill, "--subject", subject); err != nil {
		return err
	}
	began := time.Now()
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkFill$", "-benchtime", "1x", "-timeout", "60m", "./ledger")
	cmd.Env = append(os.Environ(), "VERDICT_BENCH_FILL="+h.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fill the ledger: %w\n%s", err, out)
	}
	fmt.Fprintf(w, "a ledger of 100,000 bills of materials, 3,000 of running artifacts, was made in %v\n", time.Since(began).Round(time.Second))
	return nil
}

func advisoryOf(id, name string) string {
	return fmt.Sprintf(`{"schema_version":"1.7.0","id":%q,"modified":"2026-11-20T00:00:00Z","published":"2026-11-20T00:00:00Z","summary":"measured","affected":[{"package":{"ecosystem":"npm","name":%q},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.8.0"}]}]}],"database_specific":{"severity":"HIGH"}}`, id, name)
}
