package policy

import "verdict"

// Vulnerabilities are the advisories that apply to the subject's components.
type Vulnerabilities struct {
	State     verdict.State `json:"state"`
	MatchedAt Time          `json:"matched_at"`
	By        string        `json:"by"`
	// Complete is false when a component, a lockfile or an ecosystem was not judged.
	// Incomplete and without findings is not clean.
	Complete   bool      `json:"complete"`
	Inputs     int64     `json:"inputs"`     // lockfiles or SBOMs that were read
	Components int64     `json:"components"` // components judged
	Database   Database  `json:"database"`
	Findings   []Finding `json:"findings"`
	// Groups count the findings, by what rules ask about all of them: Normalize fills it.
	Groups []FindingGroup `json:"groups"`
	// VEX is what is stated of the findings: for each the statement that counts, and some
	// that do not.
	VEX []VEX `json:"vex"`
	// Prepared is Findings as Prepare gave them; nil, or of another list, it changes nothing.
	Prepared *Prepared `json:"-"`
}

// FindingGroup counts the findings of one severity that are known since one moment. A rule
// that asks whether there is any of a sort need not go through all of them.
type FindingGroup struct {
	Severity verdict.Severity `json:"severity"`
	Since    Time             `json:"since"`
	// OpenSeconds is how long before the decision that is; -1 at points that count no time.
	OpenSeconds int64 `json:"open_seconds"`
	Findings    int64 `json:"findings"`
	Exploited   int64 `json:"exploited"`
	Malicious   int64 `json:"malicious"`
}

// VEX is one statement of whether a finding matters. It never takes the finding away.
type VEX struct {
	Key           string         `json:"key"`    // of the finding
	Counts        bool           `json:"counts"` // stated by a trusted producer other than the finding's, and not overtaken
	Status        string         `json:"status"` // not_affected, affected, fixed, under_investigation
	Justification string         `json:"justification"`
	Impact        string         `json:"impact"` // why, in its author's words
	By            string         `json:"by"`     // who signed it
	At            Time           `json:"at"`     // when it was stated
	Index         int64          `json:"index"`  // in the log
	Evidence      verdict.Digest `json:"evidence"`
	Why           string         `json:"why"` // it does not count; "" when it does
}

// Database names the data that was matched against.
type Database struct {
	State   verdict.State  `json:"state"`
	Name    string         `json:"name"`
	Digest  verdict.Digest `json:"digest"`
	At      Time           `json:"at"`
	Entries int64          `json:"entries"`
}

// Finding is one advisory that applies to one component.
type Finding struct {
	Key        string           `json:"key"` // what an exception names
	ID         string           `json:"id"`
	Aliases    []string         `json:"aliases"`
	Ecosystem  string           `json:"ecosystem"`
	Name       string           `json:"name"`
	Version    string           `json:"version"`
	PURL       string           `json:"purl"`
	Fixed      string           `json:"fixed"` // "" when no version is known to be good
	Fix        string           `json:"fix"`   // the command or edit that takes it
	Severity   verdict.Severity `json:"severity"`
	EPSS       int64            `json:"epss"` // parts per million, -1 when unknown
	Exploited  bool             `json:"exploited"`
	Malicious  bool             `json:"malicious"`
	Direct     bool             `json:"direct"`
	Path       []string         `json:"path" order:"kept"` // from the root to the component
	SourcePath string           `json:"source_path"`       // the file that names the component
	Line       int64            `json:"line"`
	Old        bool             `json:"old"` // the base of the change has the component as well
	Reach      Reach            `json:"reach"`
	// Since is when it became known in what the service brought to the environment, to the
	// second; "" at points that count no time.
	Since    Time           `json:"since"`
	Evidence verdict.Digest `json:"evidence"`
}

// Reach is whether what is affected of a component is imported. It orders work, and lets
// a gate weigh what has no fix; that a fix has to be taken does not hang on it.
type Reach struct {
	Imported string `json:"imported"` // yes, no, unknown
	Package  string `json:"package"`
	Path     string `json:"path"` // the file that imports it
	Line     int64  `json:"line"`
	Why      string `json:"why"` // it is not imported, or that is not known
}
