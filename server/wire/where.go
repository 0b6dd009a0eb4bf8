package wire

import (
	"verdict"
	"verdict/ledger"
)

// WhereAsked asks the index of components. What counts as a version in a range, as another
// spelling of a name, as a licence and as a producer whose word counts is the caller's to
// say: the server answers with what it has to know (Open), and is asked again with Told.
type WhereAsked struct {
	Packages []PackageAsked `json:"packages"`
	Named    string         `json:"named,omitempty"`
	// Licence: the question is about a licence. Counted: not every producer's word counts.
	Licence     bool            `json:"licence"`
	Counted     bool            `json:"counted"`
	At          ledger.Position `json:"at"`
	Environment string          `json:"environment,omitempty"`
	Limit       int             `json:"limit"`
	Told        Told            `json:"told"`
}

// PackageAsked is one package of a WhereAsked. Spelled: it may have other spellings; Bounded: not
// every version is meant.
type PackageAsked struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Spelled   bool   `json:"spelled"`
	Bounded   bool   `json:"bounded"`
}

// Told is what a caller said of the things that a server had to know.
type Told struct {
	Names     []NameAsked     `json:"names"`
	Versions  []VersionAsked  `json:"versions"`
	Licences  []LicencesAsked `json:"licences"`
	Producers []ProducerAsked `json:"producers"`
}

// Verdicts of a caller about one thing: Yes, or Why it cannot be told.
type Verdicts struct {
	Yes bool   `json:"yes"`
	Why string `json:"why,omitempty"`
}

// NameAsked asks whether a name spells that of a package, by its place in WhereAsked.Packages.
type NameAsked struct {
	Package int    `json:"package"`
	Name    string `json:"name"`
	Verdicts
}

// VersionAsked asks whether a version of a package is meant.
type VersionAsked struct {
	Package int    `json:"package"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Verdicts
}

// LicencesAsked asks whether what a component declares is the licence.
type LicencesAsked struct {
	Declared []string `json:"declared"`
	Verdicts
}

// ProducerAsked asks whether the word of a producer counts for a kind, about a service in an
// environment.
type ProducerAsked struct {
	Kind        verdict.Kind `json:"kind"`
	Producer    string       `json:"producer"`
	Service     string       `json:"service"`
	Environment string       `json:"environment"`
	Verdicts
}

// Found answers a WhereAsked or a ListedAsked: the answer, or what has to be told first.
type Found struct {
	Where  *ledger.Where  `json:"where,omitempty"`
	Listed *ledger.Listed `json:"listed,omitempty"`
	Open   *Told          `json:"open,omitempty"`
}

// ListedAsked asks what the bills of an artifact list.
type ListedAsked struct {
	Artifact verdict.Digest  `json:"artifact"`
	At       ledger.Position `json:"at"`
	Counted  bool            `json:"counted"`
	Told     Told            `json:"told"`
}

// MaxOpen is how many things a server asks about in one round.
const MaxOpen = 50_000
