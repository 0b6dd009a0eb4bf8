package advisory

import (
	"strings"

	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"

	"verdict"
)

// severities in the order of their numbers in the index.
var severities = []verdict.Severity{
	verdict.SeverityUnknown, verdict.SeverityInfo, verdict.SeverityLow,
	verdict.SeverityMedium, verdict.SeverityHigh, verdict.SeverityCritical,
}

// worseOf is the worse of two severities; unknown gives way to what is known.
func worseOf(a, b verdict.Severity) verdict.Severity {
	if number(b) > number(a) {
		return b
	}
	return a
}

func number(s verdict.Severity) int {
	for i, x := range severities {
		if x == s {
			return i
		}
	}
	return 0
}

// scoreOf is the base score of a CVSS vector, versions 2.0 to 4.0 (FIRST's
// specifications), and false for what is none.
func scoreOf(vector string) (float64, bool) {
	if len(vector) > 512 {
		return 0, false
	}
	switch {
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		if v, err := gocvss40.ParseVector(vector); err == nil {
			return v.Score(), true
		}
	case strings.HasPrefix(vector, "CVSS:3.1/"):
		if v, err := gocvss31.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	case strings.HasPrefix(vector, "CVSS:3.0/"):
		if v, err := gocvss30.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	case strings.HasPrefix(vector, "AV:"):
		if v, err := gocvss20.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	}
	return 0, false
}

// severityOf is the level of a CVSS vector by the qualitative scale of CVSS 3.1 and 4.0.
func severityOf(vector string) verdict.Severity {
	score, ok := scoreOf(vector)
	switch {
	case !ok:
		return verdict.SeverityUnknown
	case score >= 9:
		return verdict.SeverityCritical
	case score >= 7:
		return verdict.SeverityHigh
	case score >= 4:
		return verdict.SeverityMedium
	case score > 0:
		return verdict.SeverityLow
	}
	return verdict.SeverityInfo
}

// severityWord reads the words that databases use in place of a vector.
func severityWord(s string) verdict.Severity {
	switch strings.ToLower(s) {
	case "critical":
		return verdict.SeverityCritical
	case "high", "important":
		return verdict.SeverityHigh
	case "medium", "moderate":
		return verdict.SeverityMedium
	case "low", "minor":
		return verdict.SeverityLow
	case "negligible", "none", "info", "informational":
		return verdict.SeverityInfo
	}
	return verdict.SeverityUnknown
}
