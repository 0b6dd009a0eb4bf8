package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"verdict"
)

// Prepared are findings in their one form, sorted, written and converted for the engine. An
// artifact is asked about again and again while what is known of it stays the same, and its
// findings are by far the largest part of the document. It is never changed, and safe for
// concurrent use.
type Prepared struct {
	list      []Finding
	groups    []FindingGroup
	canonical []byte
	digest    verdict.Digest
	term      *ast.Term
	size      int
}

var (
	findingsType = reflect.TypeFor[[]Finding]()
	writeList    = canonicalFor(findingsType)
	convertList  = converterFor(findingsType)
)

// Prepare takes the findings over: nobody may change them afterwards.
func Prepare(findings []Finding) *Prepared {
	p := &Prepared{}
	list := reflect.ValueOf(&findings).Elem()
	normalize(list, false)
	p.list, p.groups = findings, grouped(findings)
	p.canonical = slices.Clip(writeList(make([]byte, 0, 640*len(findings)), list))
	sum := sha256.Sum256(p.canonical)
	p.digest = verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))
	p.term = convertList(list, &p.size)
	return p
}

// Findings is the list, for Vulnerabilities.Findings.
func (p *Prepared) Findings() []Finding { return p.list }

// Canonical is the list as RFC 8785 has it. It is shared: do not change it.
func (p *Prepared) Canonical() []byte { return p.canonical }

// Digest is the SHA-256 of Canonical.
func (p *Prepared) Digest() verdict.Digest { return p.digest }

// holds reports whether a list is the one that was prepared.
func (p *Prepared) holds(findings []Finding) bool {
	return p != nil && len(findings) > 0 && len(findings) == len(p.list) && &findings[0] == &p.list[0]
}

// preparedOf gives what was prepared of the findings in a group; nil where nothing was.
func preparedOf(group reflect.Value) *Prepared {
	v, _ := group.Interface().(Vulnerabilities)
	if v.Prepared.holds(v.Findings) {
		return v.Prepared
	}
	return nil
}

// count fills the groups of the findings, and how old each is at a moment.
func (v *Vulnerabilities) count(at Time) {
	if v.Prepared.holds(v.Findings) {
		v.Groups = slices.Clone(v.Prepared.groups)
	} else {
		v.Groups = grouped(v.Findings)
	}
	now, err := time.Parse(time.RFC3339Nano, string(at))
	for i := range v.Groups {
		g := &v.Groups[i]
		g.OpenSeconds = -1
		if since, unknown := time.Parse(time.RFC3339Nano, string(g.Since)); unknown == nil && err == nil {
			g.OpenSeconds = max(0, int64(now.Sub(since)/time.Second))
		}
	}
}

// Counted reports whether the findings are in their order and their groups are what they count
// up to. A document that Normalize made is so; of one that was recorded nobody knows, and rules
// go by the groups.
func (i *Input) Counted() bool {
	v := i.Vulnerabilities
	v.count(i.Decision.At)
	return slices.Equal(v.Groups, i.Vulnerabilities.Groups) && slices.IsSortedFunc(v.Findings, func(a, b Finding) int {
		return compareValues(reflect.ValueOf(a), reflect.ValueOf(b))
	})
}

// grouped counts findings by severity and since when they are known, sorted by these.
func grouped(findings []Finding) []FindingGroup {
	type key struct {
		severity verdict.Severity
		since    Time
	}
	at, groups := map[key]int{}, []FindingGroup{}
	for i := range findings {
		f := &findings[i]
		k := key{f.Severity, f.Since}
		n, known := at[k]
		if !known {
			n = len(groups)
			at[k], groups = n, append(groups, FindingGroup{Severity: f.Severity, Since: f.Since})
		}
		g := &groups[n]
		g.Findings++
		if f.Exploited {
			g.Exploited++
		}
		if f.Malicious {
			g.Malicious++
		}
	}
	slices.SortFunc(groups, func(a, b FindingGroup) int {
		if c := strings.Compare(string(a.Severity), string(b.Severity)); c != 0 {
			return c
		}
		return strings.Compare(string(a.Since), string(b.Since))
	})
	return groups
}

// noFindings is where a canonical document holds its findings, without them. The group is
// its last member, and a quotation mark within text is escaped, so it is there once.
const noFindings = `"findings":[]`

// Cut gives the canonical document without its findings, for whoever keeps those elsewhere.
func (i *Input) Cut() ([]byte, error) {
	if i == nil {
		return nil, noInput()
	}
	bare := *i
	bare.Vulnerabilities.Findings, bare.Vulnerabilities.Prepared = []Finding{}, nil
	return bare.Canonical()
}

// Parts are the document that Cut wrote and its findings as Canonical has them, in the three
// pieces that make the whole document together.
func Parts(cut, findings []byte) ([3][]byte, error) {
	at := bytes.LastIndex(cut, []byte(noFindings))
	if at < 0 || len(findings) < 2 || findings[0] != '[' {
		return [3][]byte{}, &verdict.Error{Code: verdict.CodeInvalid, What: "the document does not say where its findings were cut out",
			Remedy: "replay the input exactly as the decision recorded it"}
	}
	at += len(noFindings)
	return [3][]byte{cut[:at-len("[]")], findings, cut[at:]}, nil
}
