package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// The kinds of findings that are compared, each with one peer.
const (
	secrets           = "secrets"
	vulnerabilities   = "vulnerabilities"
	misconfigurations = "misconfigurations"
	components        = "components"
)

// finding is what one program says of one place, in the words that both sides share.
type finding struct {
	Path    string
	Line    int64    // 0 when it is not known
	IDs     []string // rule or check; of a vulnerability its id and aliases
	Package string   // ecosystem/name@version; of a component its purl
	Value   string   // of a secret: a digest that tells which it is; empty where the program does not say
}

func (f finding) String() string {
	return strings.TrimSpace(strings.Join([]string{f.Package, strings.Join(f.IDs, " = "), fmt.Sprintf("%s:%d", f.Path, f.Line)}, "  "))
}

// parseGitleaks reads the JSON report of gitleaks dir.
func parseGitleaks(data []byte, root string) ([]finding, error) {
	var hits []struct {
		RuleID, File, Secret string
		StartLine            int64
	}
	if err := json.Unmarshal(data, &hits); err != nil {
		return nil, fmt.Errorf("read gitleaks' report: %w", err)
	}
	var out []finding
	for _, h := range hits {
		out = append(out, finding{Path: below(root, h.File), Line: h.StartLine, IDs: []string{h.RuleID}, Value: fmt.Sprintf("%x", sha256.Sum256([]byte(h.Secret)))})
	}
	return out, nil
}

// parseOSV reads the JSON report of osv-scanner.
func parseOSV(data []byte, root string) ([]finding, error) {
	var report struct {
		Results []struct {
			Source   struct{ Path string }
			Packages []struct {
				Package         struct{ Name, Version, Ecosystem string }
				Vulnerabilities []struct {
					ID      string
					Aliases []string
				}
			}
		}
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, fmt.Errorf("read osv-scanner's report: %w", err)
	}
	var out []finding
	for _, r := range report.Results {
		for _, p := range r.Packages {
			for _, v := range p.Vulnerabilities {
				out = append(out, finding{Path: below(root, r.Source.Path), IDs: append([]string{v.ID}, v.Aliases...),
					Package: coordinate(p.Package.Ecosystem, p.Package.Name, p.Package.Version)})
			}
		}
	}
	return out, nil
}

// parseTrivy reads the misconfigurations of trivy's JSON report.
func parseTrivy(data []byte, root string) ([]finding, error) {
	var report struct {
		Results []struct {
			Target            string
			Misconfigurations []struct {
				ID, AVDID     string
				CauseMetadata struct{ StartLine int64 }
			}
		}
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, fmt.Errorf("read trivy's report: %w", err)
	}
	var out []finding
	for _, r := range report.Results {
		for _, m := range r.Misconfigurations {
			id := m.AVDID
			if id == "" {
				id = m.ID
			}
			out = append(out, finding{Path: below(root, r.Target), Line: m.CauseMetadata.StartLine, IDs: []string{id}})
		}
	}
	return out, nil
}

// parseBill reads the components of a CycloneDX document, whoever wrote it.
func parseBill(data []byte) ([]finding, error) {
	var bill struct {
		Components []struct {
			PURL string `json:"purl"`
		}
	}
	if err := json.Unmarshal(data, &bill); err != nil {
		return nil, fmt.Errorf("read a CycloneDX document: %w", err)
	}
	var out []finding
	for _, c := range bill.Components {
		if purl := plain(c.PURL); purl != "" {
			out = append(out, finding{Package: purl})
		}
	}
	return out, nil
}

// ours is what verdict ci -o json says, by kind; a check that it did not run is no key.
type ours map[string][]finding

func parseVerdict(data []byte) (ours, error) {
	var run struct {
		Reports []struct {
			Check string
			Hits  []struct {
				Detector, Path string
				Line           int64
				Vulnerability  *struct {
					ID        string
					Aliases   []string
					Component struct{ Ecosystem, Name, Version string }
				}
			}
		}
	}
	if err := json.Unmarshal(data, &run); err != nil {
		return nil, fmt.Errorf("read verdict's report: %w", err)
	}
	kinds := map[string]string{"secrets": secrets, "vulnerabilities": vulnerabilities, "iac": misconfigurations}
	out := ours{}
	for _, r := range run.Reports {
		kind := kinds[r.Check]
		if kind == "" {
			continue
		}
		out[kind] = []finding{}
		for _, h := range r.Hits {
			f := finding{Path: h.Path, Line: h.Line, IDs: []string{h.Detector}}
			if v := h.Vulnerability; v != nil {
				f.IDs, f.Package = append([]string{v.ID}, v.Aliases...), coordinate(v.Component.Ecosystem, v.Component.Name, v.Component.Version)
			}
			out[kind] = append(out[kind], f)
		}
	}
	return out, nil
}

// coordinate names a package in one way: Go's versions without their v, and PyPI's names
// as PEP 503 writes them.
func coordinate(ecosystem, name, version string) string {
	switch ecosystem {
	case "Go":
		version = strings.TrimPrefix(version, "v")
	case "PyPI":
		name = strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune("-_.", r) }), "-")
	}
	return ecosystem + "/" + name + "@" + version
}

// plain is a purl without qualifiers, subpath and escapes.
func plain(purl string) string {
	purl, _, _ = strings.Cut(purl, "#")
	purl, _, _ = strings.Cut(purl, "?")
	return strings.NewReplacer("%40", "@", "%2B", "+", "%2b", "+", "%2F", "/").Replace(purl)
}

// below is a path below the tree, with slashes.
func below(root, p string) string {
	if filepath.IsAbs(p) {
		if rel, err := filepath.Rel(root, p); err == nil {
			p = rel
		}
	}
	return path.Clean(filepath.ToSlash(p))
}

// keys are what two findings of a kind must share one of to be the same. Where a
// vulnerable package stands is not among them: the two sides may name different files of
// one lock.
func (f finding) keys(kind string) []string {
	var out []string
	switch kind {
	case secrets:
		return []string{fmt.Sprintf("%s:%d", f.Path, f.Line)}
	case components:
		return []string{f.Package}
	case vulnerabilities:
		for _, id := range f.IDs {
			out = append(out, f.Package+" "+id)
		}
	case misconfigurations:
		for _, id := range f.IDs {
			out = append(out, f.Path+" "+id)
		}
	}
	return slices.Compact(out)
}
