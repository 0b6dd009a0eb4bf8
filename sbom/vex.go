package sbom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
)

// VEX is what somebody states of the vulnerabilities of products: whether they are
// affected, and why not. Three forms say it: OpenVEX 0.2.0, CycloneDX, and CSAF's profile
// for VEX. Statements keep the order of the document.
type VEX struct {
	Form       string // OpenVEX, CycloneDX, CSAF
	ID         string
	Author     string // as the document says; who vouches for it is who signed it
	Statements []VEXStatement
	// Remarks are what the document says and is not read, or what its form asks for and it
	// does not say, where that excuses nothing.
	Remarks []string
}

// VEXStatus is what is stated of one vulnerability in some products.
type VEXStatus string

// The statuses, in the words of OpenVEX.
const (
	NotAffected        VEXStatus = "not_affected"
	Affected           VEXStatus = "affected"
	Fixed              VEXStatus = "fixed"
	UnderInvestigation VEXStatus = "under_investigation"
)

// Excuses reports whether the status says that there is nothing to do.
func (s VEXStatus) Excuses() bool { return s == NotAffected || s == Fixed }

// VEXStatement is one statement of a document.
type VEXStatement struct {
	// Vulnerabilities are the names of the one vulnerability: its id and its aliases.
	Vulnerabilities []string
	// Products that it is about. None: whatever the evidence is about that holds it.
	Products      []VEXProduct
	Status        VEXStatus
	Justification string // in OpenVEX's words; of not_affected alone
	Impact        string // why it is not affected, for people
	Action        string // what to do where it is affected, for people
	At            time.Time
}

// VEXProduct is a product as a statement names it.
type VEXProduct struct {
	// Names are every id that it is given: package URLs, IRIs, names.
	Names []string
	// Digests are those of its content.
	Digests []verdict.Digest
	// Parts narrow the statement to components of the product; none: all of it.
	Parts []VEXProduct
}

// Limits of a document. A product that is named twice counts twice.
const (
	MaxVEX           = 16 << 20 // bytes
	maxVEXStatements = 20_000
	maxVEXProducts   = 100_000
	maxVEXText       = 2_000 // bytes of a name or reason that are kept
	maxVEXRemarks    = 20
)

// absent are the justifications that say what is in the product. The others say how the
// vulnerable code is reached.
var absent = []string{"component_not_present", "vulnerable_code_not_present"}

// justifications are those of OpenVEX and CSAF.
var justifications = append(slices.Clone(absent),
	"vulnerable_code_not_in_execute_path", "vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist")

// ReadVEX reads a document in any of its forms. What is no such document, says a status or
// a justification that there is not, or says not_affected without a reason, is refused as
// a whole: *verdict.Error with CodeInvalid, or CodeLimit for one that is too large.
func ReadVEX(raw []byte) (*VEX, error) {
	if len(raw) > MaxVEX {
		return nil, vexLimit(fmt.Sprintf("it has %d bytes, and %d are read", len(raw), MaxVEX))
	}
	if err := strictJSON(raw); err != nil {
		return nil, vexInvalid("it is no JSON that says one thing: "+err.Error(), "write it with a tool that writes JSON")
	}
	var top struct {
		Context   string          `json:"@context"`
		BOMFormat string          `json:"bomFormat"`
		Document  json.RawMessage `json:"document"`
	}
	if err := json.Unmarshal(raw, &top); err != nil {
		return nil, vexShape(err)
	}
	r := &vexReader{}
	var err error
	switch {
	case strings.HasPrefix(top.Context, openVEXBase):
		err = r.openVEX(raw)
	case top.BOMFormat == "CycloneDX":
		err = r.cycloneDX(raw)
	case len(top.Document) > 0:
		err = r.csaf(raw)
	default:
		return nil, vexInvalid("it is in none of the forms that are read",
			"give OpenVEX 0.2.0 (@context "+openVEXContext+"), CycloneDX with vulnerabilities, or CSAF 2.0 of the category csaf_vex")
	}
	if err != nil {
		return nil, err
	}
	if len(r.doc.Statements) == 0 {
		return nil, vexInvalid("it states nothing of any vulnerability", "give a document with at least one statement")
	}
	return &r.doc, nil
}

// vexReader gathers a document and counts what it holds.
type vexReader struct {
	doc      VEX
	products int
}

// add takes one more statement, if it is one.
func (r *vexReader) add(s VEXStatement) error {
	n := len(r.doc.Statements) + 1
	refused := func(what, remedy string) error {
		return vexInvalid(fmt.Sprintf("statement %d: %s", n, what), remedy)
	}
	s.Vulnerabilities = slices.DeleteFunc(s.Vulnerabilities, func(v string) bool { return v == "" || len(v) > maxVEXText })
	if n > maxVEXStatements {
		return vexLimit(fmt.Sprintf("it has more than %d statements", maxVEXStatements))
	}
	if err := r.count(s.Products); err != nil {
		return err
	}
	switch {
	case len(s.Vulnerabilities) == 0:
		return refused("it names no vulnerability", "name it by its id, such as CVE-2026-0001")
	case !slices.Contains([]VEXStatus{NotAffected, Affected, Fixed, UnderInvestigation}, s.Status):
		return refused(fmt.Sprintf("%q is no status", cutText(string(s.Status))), "write not_affected, affected, fixed or under_investigation")
	case s.Justification != "" && !slices.Contains(justifications, s.Justification):
		return refused(fmt.Sprintf("%q is no justification", cutText(s.Justification)), "write one of "+strings.Join(justifications, ", "))
	case s.Status == NotAffected && s.Justification == "" && strings.TrimSpace(s.Impact) == "":
		return refused("it says not_affected, and not why", "add a justification ("+strings.Join(justifications, ", ")+"), or an impact statement")
	case s.At.IsZero():
		return refused("it has no time, and neither has the document", "add a timestamp in RFC 3339: of two statements the newer counts")
	}
	s.Impact, s.Action = cutText(s.Impact), cutText(s.Action)
	r.doc.Statements = append(r.doc.Statements, s)
	return nil
}

// count bounds the products and parts of a document.
func (r *vexReader) count(list []VEXProduct) error {
	for _, p := range list {
		if r.products += 1 + len(p.Parts); r.products > maxVEXProducts {
			return vexLimit(fmt.Sprintf("it names more than %d products", maxVEXProducts))
		}
	}
	return nil
}

func (r *vexReader) remark(format string, args ...any) {
	if len(r.doc.Remarks) < maxVEXRemarks {
		r.doc.Remarks = append(r.doc.Remarks, fmt.Sprintf(format, args...))
	}
}

// cutText shortens somebody's text at a rune.
func cutText(s string) string {
	if len(s) <= maxVEXText {
		return s
	}
	return strings.ToValidUTF8(s[:maxVEXText], "") + "…"
}

// digestsOf reads the digests that we know; others name nothing that can be compared.
func digestsOf(algorithm, hex string, list []verdict.Digest) []verdict.Digest {
	algorithm = strings.ReplaceAll(strings.ToLower(algorithm), "-", "")
	if d, err := verdict.ParseDigest(algorithm + ":" + strings.ToLower(hex)); err == nil {
		list = append(list, d)
	}
	return list
}

func vexInvalid(what, remedy string) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: "the VEX document cannot be used: " + what, Remedy: remedy}
}

func vexShape(err error) error {
	return vexInvalid("a member holds another kind of value than its form has there: "+cutText(err.Error()), "validate it against the schema of its form")
}

func vexLimit(what string) error {
	return &verdict.Error{Code: verdict.CodeLimit, What: "the VEX document is too large: " + what, Remedy: "divide it into several documents"}
}

// maxVEXDepth is how deep a document may nest.
const maxVEXDepth = 64

// strictJSON refuses what two readers could read in two ways: a name twice in one object,
// also in another case; more than one document; and what nests without an end.
func strictJSON(raw []byte) error {
	if !json.Valid(raw) {
		return fmt.Errorf("it is not well-formed")
	}
	type level struct {
		names map[string]bool // nil in a list
		value bool            // the next token is the value of a name
	}
	var open []level
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return nil // json.Valid saw the whole of it
		}
		top := len(open) - 1
		if name, text := token.(string); text && top >= 0 && open[top].names != nil && !open[top].value {
			folded := strings.ToLower(name)
			if open[top].names[folded] {
				return fmt.Errorf("%q stands twice in one object", cutText(name))
			}
			open[top].names[folded], open[top].value = true, true
			continue
		}
		if top >= 0 {
			open[top].value = false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
		}
		if len(open) > maxVEXDepth {
			return fmt.Errorf("it nests more than %d deep", maxVEXDepth)
		}
	}
}
