package decisionmap

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
)

// defaultPlace is where a point of a layer is asked when the file does not say.
var defaultPlace = map[verdict.Layer]string{
	verdict.LayerCode:       "verdict/pull-request",
	verdict.LayerCI:         "verdict/pipeline",
	verdict.LayerArtifact:   "verdict/release",
	verdict.LayerDeploy:     "verdict/gate",
	verdict.LayerRuntime:    "verdict/collector",
	verdict.LayerGovernance: "verdict/audit",
}

// places lists the second half of `at` for each layer: what kind of place it is, in
// whichever system. The first half, the system, is free.
var places = map[verdict.Layer][]string{
	verdict.LayerCode:       {"pull-request", "merge-request", "merge-queue", "push", "commit", "branch"},
	verdict.LayerCI:         {"pipeline", "workflow", "build", "job", "plan", "pull-request", "merge-request", "pre-commit"},
	verdict.LayerArtifact:   {"release", "registry", "publish", "package", "build"},
	verdict.LayerDeploy:     {"gate", "environment-check", "deployment-protection", "deploy", "release-gate", "apply", "rollout", "sync", "admission"},
	verdict.LayerRuntime:    {"collector", "cluster", "inventory", "resource-graph", "activity-log", "audit-log", "agent"},
	verdict.LayerGovernance: {"audit", "report", "register", "access-review"},
}

// planned lists the selectors of rules that come with a later step. Only these make a
// point "not built yet"; any other selector that selects nothing is a typing error and
// VD-P01. The list is written out, so that an error in the built-in map is one as well.
var planned = []string{
	"verdict.rules.deploy.admission",
	"verdict.rules.runtime.promotion", "verdict.rules.runtime.drift", "verdict.rules.runtime.unmanaged",
	"verdict.rules.runtime.misuse", "verdict.rules.runtime.privilege", "verdict.rules.runtime.exposure",
	"verdict.rules.runtime.vulnerable", "verdict.rules.runtime.ownership",
}

// Evidence that is bound to where and when something runs. Code, ci and artifact
// points may not need it, because what they answer must hold everywhere.
var placeBound = []string{
	"environment", "exposure", "exception", "exceptions", "approval", "approvals", "break-glass",
	"promotion", "promotions", "apply-permit", "deployment", "outcome", "admission", "request", "requester",
	"runtime", "inventory", "intent", "observation", "finding", "findings", "grants", "access",
}

func boundToPlace(kind string) bool {
	return slices.Contains(placeBound, kind) || strings.HasSuffix(kind, "-finding")
}

// What only a scanner or a builder leaves, and what only they read.
var (
	madeByScanOrBuild = []string{"secrets", "vulnerabilities", "dependencies", "iac", "iac-plan", "sast", "licences", "tests", "test-result", "sbom", "provenance", "signature", "image", "artifact"}
	rawMaterial       = []string{"source", "tree", "manifest", "lockfile", "dockerfile", "image-layers"}
)

// digestBound is evidence whose subject is the digest of an artifact.
var digestBound = []string{"vsa", "sbom", "provenance", "signature"}

// infrastructureKinds is evidence about infrastructure code before it is applied.
var infrastructureKinds = []string{"iac", "iac-plan", "iac-check"}

var evidenceKinds = []verdict.Kind{
	verdict.KindSBOM, verdict.KindProvenance, verdict.KindSignature, verdict.KindImage, verdict.KindTestResult, verdict.KindVulnerabilities, verdict.KindVEX,
	verdict.KindVSA, verdict.KindOwnership, verdict.KindChangeReview, verdict.KindApproval, verdict.KindException,
	verdict.KindBreakGlass, verdict.KindDeployment, verdict.KindOutcome, verdict.KindObservation, verdict.KindIntent,
	verdict.KindFinding, verdict.KindAdmission, verdict.KindAccessReview, verdict.KindControlResult,
}

// Evidence says which statements satisfy a need of this name: what a point of the map
// leaves is a decision of that point; a kind of evidence is itself; everything else is
// the name of a check, whose evidence is a test-result with that name.
func (m *Map) Evidence(need string) (kind verdict.Kind, check, point string) {
	for _, p := range m.Points {
		if p.Produces.Kind == need {
			return verdict.KindDecision, "", p.ID
		}
	}
	if need == string(verdict.KindVulnerabilities) {
		return verdict.KindVulnerabilities, need, ""
	}
	if slices.Contains(evidenceKinds, verdict.Kind(need)) {
		return verdict.Kind(need), "", ""
	}
	return verdict.KindTestResult, need, ""
}

// MaxAge is the age beyond which evidence for a need is stale: the need's own, else the
// shortest of the sources that yield it. Zero means that it does not grow stale.
func (m *Map) MaxAge(n Need) Duration {
	if n.MaxAge > 0 {
		return n.MaxAge
	}
	var age Duration
	for _, s := range m.Sources {
		if slices.Contains(s.Kinds, n.Kind) && s.MaxAge > 0 && (age == 0 || s.MaxAge < age) {
			age = s.MaxAge
		}
	}
	return age
}

// MaxDataAge is the age beyond which the data that a check matched against is stale: that
// of the source of the data, or the need's where that is shorter. A need cannot allow
// older data than the source does; otherwise a repository could, by giving an age to a
// need to which the organisation gave none.
func (m *Map) MaxDataAge(n Need, source string) Duration {
	need, data := m.MaxAge(n), m.Sources[source].MaxAge
	if need == 0 || data > 0 && data < need {
		return data
	}
	return need
}

// OwnSource is the source that stands for Verdict's own checks.
const OwnSource = "verdict"

// Formats are the forms in which a source's command may print what it found.
var Formats = []string{"sarif", "junit", "gitleaks", "trivy", "grype", "snyk", "checkov", "kics", "semgrep", "govulncheck", "zap"}

// HelmFormat is the form of a source whose command prints the manifests that a Helm chart
// sets up: it renders charts for the check of infrastructure code, and answers no question
// itself.
const HelmFormat = "helm"

// ReachFormat is the form of a source that tells whether what is vulnerable is called.
const ReachFormat = "govulncheck"

// ReachSources are the sources that a map runs to tell that, in the order of their names.
func (m *Map) ReachSources() (out []string) {
	for _, name := range slices.Sorted(maps.Keys(m.Sources)) {
		if s := m.Sources[name]; s.Format == ReachFormat && len(s.Command) > 0 {
			out = append(out, name)
		}
	}
	return out
}

// Renderer names the source that renders Helm charts: the only one, or the primary one of
// several; "" where the map has none.
func (m *Map) Renderer() (string, error) {
	all, primary := m.renderers()
	switch {
	case len(all) == 0:
		return "", nil
	case len(all) == 1:
		return all[0], nil
	case len(primary) == 1:
		return primary[0], nil
	}
	return "", &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("charts are rendered by %s, and %d of them are primary", strings.Join(all, " and "), len(primary)),
		Remedy: "mark one of these sources `primary: true` in the organisation map and release that",
	}
}

// renderers are the sources that render charts, in the order of their names.
func (m *Map) renderers() (all, primary []string) {
	for _, name := range slices.Sorted(maps.Keys(m.Sources)) {
		if s := m.Sources[name]; s.Format == HelmFormat && len(s.Command) > 0 {
			if all = append(all, name); s.Primary {
				primary = append(primary, name)
			}
		}
	}
	return all, primary
}

// toolTime is how long a source's command may run where the map does not say.
const toolTime = Duration(10 * time.Minute)

// chartTime is the same for one chart: there can be many.
const chartTime = Duration(time.Minute)

// Checks are the kinds of a source that are answered by the report of a check, in its
// order: what a tool's output can be read as.
func (m *Map) Checks(source string) []string {
	var out []string
	for _, kind := range m.Sources[source].Kinds {
		if _, check, _ := m.Evidence(kind); check != "" {
			out = append(out, kind)
		}
	}
	return out
}

// Command is the command of a source, of a released map only: a change must not be able
// to bring the command that examines it.
func (m *Map) Command(source string) ([]string, error) {
	s, ok := m.Sources[source]
	switch {
	case !ok || len(s.Command) == 0:
		return nil, &verdict.Error{Code: verdict.CodeNotFound, What: "the map gives no command for the source " + source, Remedy: "add `command:` to it in the organisation map and release that"}
	case !m.released:
		return nil, &verdict.Error{Code: verdict.CodeForbidden, What: "the command of the source " + source + " comes from a map that was not released", Remedy: "release the map with `verdict map release`; commands run from the released map only"}
	}
	return slices.Clone(s.Command), nil
}

// matchParts matches text against a pattern in which * stands for one part: one or more
// characters without / @ : # or white space.
func matchParts(pattern, text string) bool {
	// Row i of the table says up to where the first i letters of the pattern reach.
	reach := make([]bool, len(text)+1)
	reach[0] = true
	for _, c := range []byte(pattern) {
		next := make([]bool, len(text)+1)
		for j := range text {
			if c == '*' {
				next[j+1] = (reach[j] || next[j]) && !strings.ContainsRune("/@:# \t", rune(text[j]))
			} else {
				next[j+1] = reach[j] && text[j] == c
			}
		}
		reach = next
	}
	return reach[len(text)]
}
