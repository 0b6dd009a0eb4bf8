package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	jcs "github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	"github.com/open-policy-agent/opa/v1/ast"

	"verdict"
)

// allowed names every builtin that rules may call. It is a list of what is allowed and
// not of what is refused, so that a function that a new engine brings is refused until
// somebody has read what it does. What is not here either reaches outside, is not the
// same tomorrow, holds or uses keys, or can run or grow without looking at a limit.
var allowed = strings.Fields(`
	abs and assign ceil count div eq equal floor format_int gt gte lt lte max min minus
	mul neq or plus product rem round sort sum to_number numbers.range numbers.range_step
	bits.and bits.negate bits.or bits.rsh bits.xor

	array.concat array.flatten array.reverse array.slice intersection union
	internal.member_2 internal.member_3 graph.reachable walk
	object.filter object.get object.keys object.remove object.subset object.union object.union_n
	json.filter json.remove json.is_valid json.marshal json.marshal_with_options json.unmarshal
	yaml.is_valid yaml.marshal yaml.unmarshal

	concat contains endswith indexof indexof_n lower replace split sprintf startswith substring
	strings.any_prefix_match strings.any_suffix_match strings.count strings.replace_n strings.reverse
	strings.split_n internal.template_string trim trim_left trim_prefix trim_right trim_space trim_suffix upper
	regex.find_all_string_submatch_n regex.find_n regex.is_valid regex.match regex.replace
	regex.split regex.template_match glob.match glob.quote_meta
	base64.decode base64.encode base64.is_valid base64url.decode base64url.encode base64url.encode_no_pad
	hex.decode hex.encode urlquery.decode urlquery.decode_object urlquery.encode urlquery.encode_object
	uri.is_valid uri.parse uuid.parse units.parse units.parse_bytes semver.compare semver.is_valid

	is_array is_boolean is_null is_number is_object is_set is_string type_name

	crypto.hmac.equal crypto.hmac.md5 crypto.hmac.sha1 crypto.hmac.sha256 crypto.hmac.sha512
	crypto.md5 crypto.sha1 crypto.sha256
	crypto.x509.parse_certificate_request crypto.x509.parse_certificates io.jwt.decode
	net.cidr_contains net.cidr_expand net.cidr_intersects net.cidr_is_valid net.cidr_merge
	time.add_date time.clock time.date time.diff time.format time.now_ns
	time.parse_duration_ns time.parse_ns time.parse_rfc3339_ns time.weekday
	rego.metadata.chain rego.metadata.rule print internal.print`)

// refusedFor says why a builtin is not allowed, by the start of its name; the longest
// start that fits wins.
var refusedFor = map[string]string{
	"http.":                        "it reaches the network, and a decision rests on recorded evidence alone",
	"net.lookup":                   "it asks a name server, and a decision rests on recorded evidence alone",
	"opa.runtime":                  "it reads the process's environment, which replay does not have",
	"rand.":                        "it answers differently each time",
	"uuid.rfc4122":                 "it answers differently each time",
	"io.jwt.":                      "signatures are verified when evidence is taken in, never by a rule",
	"json.match_schema":            "the input is checked against its schema before any rule runs",
	"json.verify_schema":           "the input is checked against its schema before any rule runs",
	"trace":                        "replay traces every rule without it",
	"rego.parse_module":            "rules do not read rules",
	"graph.reachable_paths":        "it does not stop at a limit; graph.reachable does",
	"json.patch":                   "its cost grows with the square of what it changes, past any limit; use object.union and object.remove",
	"net.cidr_contains_matches":    "its cost grows with the square of its arguments, past any limit; use net.cidr_contains with `some`",
	"graphql.":                     "it does not stop at a limit",
	"regex.globs_match":            "its cost grows beyond any limit; use regex.match or glob.match",
	"strings.render_template":      "its loops do not stop at a limit; use sprintf or concat",
	"bits.lsh":                     "its result grows without bound; multiply instead",
	"crypto.parse_private_keys":    "keys have no place in rules",
	"crypto.x509.parse_keypair":    "keys have no place in rules",
	"crypto.x509.parse_rsa":        "keys have no place in rules",
	"crypto.x509.parse_and_verify": "it verifies by the clock of the machine; certificates are verified when evidence is taken in",
	"providers.":                   "it signs requests with credentials",
	"internal.test_case":           "it belongs to tests",
	"re_match":                     "Rego dropped it; use regex.match",
	"any":                          "Rego dropped it; use `some` or `in`",
	"all":                          "Rego dropped it; use `every`",
	"set_diff":                     "Rego dropped it; use the minus operator",
	"net.cidr_overlap":             "Rego dropped it; use net.cidr_contains",
	"cast_":                        "Rego dropped it",
}

func refusal(builtin string) string {
	best := ""
	for prefix := range refusedFor {
		if strings.HasPrefix(builtin, prefix) && len(prefix) > len(best) {
			best = prefix
		}
	}
	if best == "" {
		return "nobody has read yet whether it is safe in a decision"
	}
	return refusedFor[best]
}

// reduced is what the engine may do for rules: the allowed builtins, no host to fetch
// schemas from, and none of the language's experiments.
var reduced = sync.OnceValue(func() *ast.Capabilities {
	full := ast.CapabilitiesForThisVersion()
	c := &ast.Capabilities{AllowNet: []string{}, FutureKeywords: []string{}, Features: []string{ast.FeatureRegoV1, ast.FeatureKeywordsInRefs, ast.FeatureTemplateStrings}}
	for _, b := range full.Builtins {
		if slices.Contains(allowed, b.Name) {
			c.Builtins = append(c.Builtins, b)
		}
	}
	slices.SortFunc(c.Builtins, func(a, b *ast.Builtin) int { return cmp.Compare(a.Name, b.Name) })
	return c
})

// capabilitiesDigest is the sha256 of the canonical JSON of the reduced capabilities:
// signatures included, so that a builtin that changes its meaning changes it.
var capabilitiesDigest = sync.OnceValue(func() verdict.Digest {
	b, err := json.Marshal(reduced())
	if err == nil {
		b, err = jcs.Transform(b)
	}
	if err != nil {
		panic(fmt.Sprintf("policy: capabilities have no canonical form: %v", err))
	}
	return sha256Digest(b)
})

func sha256Digest(b []byte) verdict.Digest {
	sum := sha256.Sum256(b)
	return verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))
}
