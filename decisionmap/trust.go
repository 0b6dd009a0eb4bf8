package decisionmap

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"verdict"
)

// LocalKey is the name under which trust lists the key that a program made for itself
// on its first use, before anybody enrolled it. The built-in map lets it state what
// `verdict ci` sees; another map that wants it has to name it.
const LocalKey = "local"

// All in a list of services, environments or kinds stands for every one of them.
const All = "*"

// Trust gives a signer the right to state kinds of evidence about services in
// environments. Exactly one of Key, Identity and Workload is set; the latter two come
// with their Issuer.
type Trust struct {
	Name string `json:"name,omitempty"`
	// Key is the id or the name of an enrolled key, or LocalKey. A name gives no right to
	// decide: see byNameAlone.
	Key string `json:"key,omitempty"`
	// Identity is the subject alternative name of a certificate. A * stands for one
	// part of it: any run of characters without / @ : # or white space.
	Identity string `json:"identity,omitempty"`
	// Workload is the subject of a workload token, with * as in Identity.
	Workload string `json:"workload,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	// For says whose word the entry is about: empty, the signer's own; ForPeople, that of the
	// persons who are signed in at the server whose key it names. It gives that and nothing else.
	For string `json:"for,omitempty"`

	Kinds    []string `json:"kinds"`
	Services []string `json:"services"`
	// Environments that it may speak about; none: only evidence that is the same in
	// every environment, such as a check, an SBOM or a review.
	Environments []string `json:"environments"`
}

// ForPeople is the value of Trust.For.
const ForPeople = "people"

// PeopleKinds are what a person states about accepted risk, and so what a server's key may
// state for who is signed in. Maps, rules, roles and keys stay with keys that are enrolled: a
// server does not govern by whom it is believed.
var PeopleKinds = []string{string(verdict.KindApproval), string(verdict.KindException), string(verdict.KindBreakGlass)}

// SpeaksForPeople reports whether a key may state a kind for persons who are signed in where
// it signs, about a service in all of some environments. A key of a person of the map never
// does, whatever trust says.
func (m *Map) SpeaksForPeople(key, kind, service string, environments ...string) bool {
	if m.personOf(key) != "" || len(environments) == 0 {
		return false
	}
	for _, e := range environments {
		if !slices.ContainsFunc(m.Trust, func(t Trust) bool {
			return t.For == ForPeople && t.Key == key && slices.Contains(PeopleKinds, kind) && t.covers(kind, service, e)
		}) {
			return false
		}
	}
	return true
}

// personOf is the person under whose accounts a key stands; empty: it stands under nobody's.
func (m *Map) personOf(key string) string {
	for id, p := range m.People {
		if slices.Contains(p.Accounts["key"], key) {
			return id
		}
	}
	return ""
}

// Signer is who signed a statement, after the signature was verified.
type Signer struct {
	Key      string // key id
	KeyName  string // the name under which the key is enrolled; LocalKey for the first-use key
	Identity string // certificate identity
	Workload string // workload token subject
	Issuer   string // of the identity or the workload
}

// Trusts reports whether the signer may state this kind of evidence about this service
// in this environment, which is empty in the layers code, ci and artifact. A statement
// without that right counts as absent.
func (m *Map) Trusts(s Signer, kind, service, environment string) bool {
	return m.Rank(s, kind, service, environment) >= 0
}

// Rank is the place of the first entry of trust that gives the right that Trusts asks
// for, or -1. The order of the entries is the order of strength.
func (m *Map) Rank(s Signer, kind, service, environment string) int {
	return slices.IndexFunc(m.Trust, func(t Trust) bool {
		return t.For == "" && t.SignedBy(s) && t.covers(kind, service, environment) && !(t.byNameAlone(s) && m.decides(kind))
	})
}

// byNameAlone reports whether the entry means the signer by the name of his key and no
// more. Anybody whose key counts may enroll another one under any name of the map, so a
// name is one person's word, and two release what is in a map: who decides is named by the
// id of his key. The name of the machine's own key is given to that key alone.
func (t Trust) byNameAlone(s Signer) bool {
	return t.Key != "" && t.Key != LocalKey && t.Key != s.Key
}

// decides reports whether a kind is what some point leaves: a decision.
func (m *Map) decides(kind string) bool {
	return kind != "" && slices.ContainsFunc(m.Points, func(p Point) bool { return p.Produces.Kind == kind })
}

// Elsewhere lists the environments in which the signer may state the kind about the service,
// sorted: for who is told that he may not where it was asked.
func (m *Map) Elsewhere(s Signer, kind, service string) []string {
	var out []string
	for name := range m.Environments {
		if m.Trusts(s, kind, service, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// TrustsDecisionsOf reports whether the signer may state what some point leaves, about
// some service: his decisions count somewhere.
func (m *Map) TrustsDecisionsOf(s Signer) bool {
	return slices.ContainsFunc(m.Trust, func(t Trust) bool {
		return t.For == "" && t.SignedBy(s) && !t.byNameAlone(s) && slices.ContainsFunc(m.Points, func(p Point) bool { return p.Produces.Kind != "" && listed(t.Kinds, p.Produces.Kind) })
	})
}

// SignedBy reports whether the entry means the signer.
func (t Trust) SignedBy(s Signer) bool {
	switch {
	case t.Key != "":
		return t.Key == s.Key || t.Key == s.KeyName
	case t.Identity != "":
		return t.Issuer != "" && t.Issuer == s.Issuer && matchParts(t.Identity, s.Identity)
	case t.Workload != "":
		return t.Issuer != "" && t.Issuer == s.Issuer && matchParts(t.Workload, s.Workload)
	}
	return false
}

func (t Trust) sameSigner(o Trust) bool {
	return t.Key == o.Key && t.Identity == o.Identity && t.Workload == o.Workload && t.Issuer == o.Issuer && t.For == o.For
}

func (t Trust) covers(kind, service, environment string) bool {
	if !listed(t.Kinds, kind) || !listed(t.Services, service) {
		return false
	}
	if kind == string(verdict.KindVEX) && !slices.Contains(t.Kinds, kind) {
		return false // it takes back what another producer found: whoever may has to be named for it
	}
	switch {
	case len(t.Environments) == 0: // an SBOM is the same SBOM in every environment
		return environment == "" || !boundToPlace(kind)
	case environment == "":
		return slices.Contains(t.Environments, All)
	}
	return listed(t.Environments, environment)
}

func listed(list []string, word string) bool {
	return slices.Contains(list, All) || slices.Contains(list, word)
}

// keyID reports whether an entry's key is an id, the SHA-256 of a public key in base64, and
// no name.
func keyID(key string) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(key)
	return err == nil && len(raw) == sha256.Size
}
