package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"

	"verdict"
)

// ruleFile is a rule with complete METADATA in a package of one's own.
func ruleFile(pkg, body string) string {
	return fmt.Sprintf(`# METADATA
# title: A rule of a test
# custom:
#   id: %s
#   effect: deny
#   severity: high
#   remediation: Do something.
package %s

%s
`, strings.ReplaceAll(pkg, ".ci.", ".one."), pkg, body)
}

const passes = `check := {"status": "pass", "message": "fine"} if input.checks.secrets.state == "verified"`

// one compiles one rule beside the built-in ones.
func one(pkg, body string) (*Bundle, error) {
	return Compile(map[string]string{"a.rego": ruleFile(pkg, body)}, CompileOptions{})
}

func TestRulesThatCannotBeTrustedAreRefusedWithARemedy(t *testing.T) {
	meta := func(change func(string) string) map[string]string {
		return map[string]string{"a.rego": change(ruleFile("acme.ci.x", passes))}
	}
	drop := func(line string) func(string) string {
		return func(s string) string { return strings.Replace(s, line, "", 1) }
	}
	put := func(line string) func(string) string {
		return func(s string) string { return strings.Replace(s, "# custom:\n", "# custom:\n#   "+line+"\n", 1) }
	}
	rule := func(pkg, body string) map[string]string { return map[string]string{"a.rego": ruleFile(pkg, body)} }
	for name, c := range map[string]struct {
		files        map[string]string
		what, remedy string
	}{
		"METADATA without a remediation":     {meta(drop("#   remediation: Do something.\n")), "has no remediation", "remediation:"},
		"METADATA without an effect":         {meta(drop("#   effect: deny\n")), "has no effect", "effect: deny"},
		"METADATA without an id":             {meta(drop("#   id: acme.one.x\n")), "no valid id", "id:"},
		"METADATA without a severity":        {meta(drop("#   severity: high\n")), "no severity", "severity:"},
		"METADATA without a title":           {meta(drop("# title: A rule of a test\n")), "no title", "title:"},
		"no METADATA at all":                 {map[string]string{"a.rego": "package acme.x\n" + passes}, "a.rego:1: METADATA of acme.x has no valid id", "id:"},
		"an effect that is none":             {meta(func(s string) string { return strings.Replace(s, "effect: deny", "effect: block", 1) }), "effect: block is not a valid value", "deny, review, note"},
		"a word that METADATA does not have": {meta(put("severty: high")), "no word severty", "severity"},
		"a date that is none":                {meta(put("effective_on: soon")), "effective_on: soon", "2027-01-31"},
		"a layer that is none":               {meta(put("layer: prod")), "is no layer", "runtime"},
		"evidence that is no list":           {meta(put("evidence: secrets")), "not a list of kinds", "[secrets]"},
		"a link that is not https":           {meta(put("link: http://x")), "no https", "link"},
		"METADATA that is no YAML":           {meta(put("x: [")), "a.rego:", "correct"},
		"an id in the name of Verdict":       {meta(func(s string) string { return strings.Replace(s, "id: acme.one.x", "id: ci.secrets.mine", 1) }), "belongs to Verdict", "acme.ci.secrets.mine"},
		"a package in the name of Verdict":   {rule("verdict.rules.ci.mine", passes), "package verdict.rules.ci.mine belongs to Verdict", "prefix of their own"},
		"a built-in rule shadowed":           {rule("verdict.rules.ci.secrets", passes), "belongs to Verdict", "prefix"},
		"a built-in function shadowed":       {rule("verdict.lib", "known(_)"), "belongs to Verdict", "prefix"},
		"two rules with one id": {map[string]string{"a.rego": ruleFile("acme.ci.x", passes),
			"b.rego": strings.Replace(ruleFile("acme.ci.x", passes), "package acme.ci.x", "package acme.ci.y", 1)}, "is taken by the rule at a.rego:10", "an id of its own"},
		"a path that leaves the bundle":             {map[string]string{"../a.rego": passes}, "is no path", "relative"},
		"a path in the name of Verdict":             {map[string]string{"verdict/ci_secrets.rego": passes}, "is no path", "relative"},
		"a file that is no rule":                    {map[string]string{"data.json": "{}"}, "neither rules", ".rego"},
		"a file that is too large":                  {map[string]string{"a.rego": strings.Repeat("#", maxFileBytes+1)}, "at most", "split"},
		"Rego that does not parse":                  {rule("acme.ci.x", "check = {"), "a.rego:", "Rego v1"},
		"Rego of before v1":                         {rule("acme.ci.x", `check = {"status": "pass"} { input.checks }`), "a.rego:10", "opa fmt"},
		"a file without a rule":                     {map[string]string{"a.rego": "package acme.x\n"}, "", ""},
		"a default that passes":                     {rule("acme.ci.x", `default check := {"status": "pass", "message": "x"}`+"\n"+passes), "every missing fact a pass", "says nothing is an error"},
		"a default that skips":                      {rule("acme.ci.x", `default check := {"status": "skip", "message": "x"}`+"\n"+passes), "every missing fact a pass", ""},
		"a check that is a set":                     {rule("acme.ci.x", `check contains "x"`), "is not one value", "status"},
		"a check and a deny in one package":         {rule("acme.ci.x", passes+"\ndeny contains \"x\""), "would never run", "rename"},
		"a conftest exception":                      {map[string]string{"a.rego": "package main\ndeny contains \"x\"\nexception contains rules if rules := [\"\"]"}, "cannot make exceptions", "after the rules"},
		"a deny that is no set":                     {map[string]string{"a.rego": "package main\ndeny := true if input.service.name"}, "not a set of messages", "deny contains msg"},
		"a member that the input does not have":     {rule("acme.ci.x", `check := {"status": "pass", "message": "x"} if input.checks.secrets.stat == "verified"`), "input has no input.checks.secrets.stat", "input.schema.json"},
		"a member of an element that is misspelled": {rule("acme.ci.x", `check := {"status": "pass", "message": "x"} if { some f in input.vulnerabilities.findings; f.fixd == "" }`), "fixd", ""},
		"exceptions in the input":                   {rule("acme.deploy.x", `check := {"status": "pass", "message": "x"} if input.exceptions`), "has no input.exceptions", "after the rules"},
		"approvals in the input":                    {rule("acme.deploy.x", `check := {"status": "pass", "message": "x"} if count(input.approvals) > 0`), "has no input.approvals", "after the rules"},
		"data that nobody defines":                  {rule("acme.ci.x", `check := {"status": "pass", "message": "x"} if data.acme.allowed`), "nothing is defined at data.acme.allowed", "correct the name"},
		"a format from a variable":                  {rule("acme.ci.x", `check := {"status": "pass", "message": sprintf(input.service.name, [])}`), "not written out", "template string"},
		"a format as wide as an argument":           {rule("acme.ci.x", `check := {"status": "pass", "message": x} if { x := sprintf("%*d", [999999, 1]) }`), "as wide as an argument says", "widths below 1000"},
		"a format of a million columns":             {rule("acme.ci.x", `check := {"status": "pass", "message": sprintf("%-01000000.3d", [1])}`), "as wide", "widths below 1000"},
		"an else without an end":                    {rule("acme.ci.x", `check := {"status": "fail", "message": "x"} if input.service.name`+strings.Repeat(` else := {"status": "fail", "message": "x"} if input.service.team`, 300)), "more than 200 else branches", "look the value up"},
		"nesting without an end":                    {rule("acme.ci.x", "x := "+strings.Repeat("[", 200_000)), "a.rego:10", "correct the syntax"},
		"a package name in quotes":                  {map[string]string{"a.rego": "package acme[\"x-y\"]\n"}, "needs quotes", "letters"},
		"a deny in parts":                           {map[string]string{"a.rego": "package main\ndeny.a contains \"x\""}, "not a set of messages", "deny contains msg"},
		"a check in parts":                          {rule("acme.ci.x", `check.status := "pass"`), "is not one value", "status"},
		"a rule that calls itself":                  {rule("acme.ci.x", "check := y if y := check"), "recursive", "correct the Rego"},
		"a variable that is never bound":            {rule("acme.ci.x", `check := {"status": "pass", "message": x}`), "x is unsafe", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Compile(c.files, CompileOptions{})
			if c.what == "" {
				if err != nil || len(b.Rules()) != len(mustBuiltin(t).Rules()) {
					t.Errorf("a file with nothing in it changes the rules: %v", err)
				}
				return
			}
			wantError(t, err, c.what, c.remedy)
		})
	}
}

func TestABundleWithoutAnyRuleIsRefused(t *testing.T) {
	_, err := Compile(map[string]string{"a.rego": "package acme.x\ny := 1"}, CompileOptions{Alone: true})
	wantError(t, err, "holds no rule", "METADATA")
	_, err = Load(fstest.MapFS{"readme.md": {Data: []byte("x")}})
	wantError(t, err, "no .rego files", "directory")
	_, err = Open(t.TempDir() + "/nowhere")
	wantError(t, err, "no rules in", "directory")
}

// TestEarlyLayersReadNothingOfPlaceAndTime: whatever a rule of these layers does to get
// at the environment is refused before it can run.
func TestEarlyLayersReadNothingOfPlaceAndTime(t *testing.T) {
	check := `check := {"status": "pass", "message": "x"} if `
	helper := "package acme.helper\n"
	for name, c := range map[string]struct{ body, helper string }{
		"by name":                               {check + `input.environment.tier == "production"`, ""},
		"another group":                         {check + `input.runtime.open_drift == 0`, ""},
		"rollback":                              {check + `input.rollback.state == "verified"`, ""},
		"promotions":                            {check + `count(input.promotions.list) > 0`, ""},
		"requester":                             {check + `input.requester.person != ""`, ""},
		"in brackets":                           {check + `input["environment"].tier == "production"`, ""},
		"by a variable":                         {check + `{ x := "environment"; input[x].tier == "production" }`, ""},
		"by a name put together":                {check + `input[concat("", ["environ", "ment"])].tier == "production"`, ""},
		"by any name":                           {check + `{ some x; input[x].tier == "production" }`, ""},
		"under another name":                    {check + `{ x := input; x.environment.tier == "production" }`, ""},
		"imported":                              {"import input.environment as here\n" + check + `here.tier == "production"`, ""},
		"imported as a whole":                   {"import input as here\n" + check + `here.environment.tier == "production"`, ""},
		"through object.get":                    {check + `object.get(input, ["environment", "tier"], "") == "production"`, ""},
		"through json.filter":                   {check + `json.filter(input, ["environment/tier"]) != {}`, ""},
		"through walk":                          {check + `{ walk(input, [["environment", "tier"], "production"]) }`, ""},
		"through json.marshal":                  {check + `contains(json.marshal(input), "production")`, ""},
		"through object.remove":                 {check + `object.remove(input, ["decision"]).environment.tier == "production"`, ""},
		"in a comprehension":                    {check + `count([1 | some k, v in input; k == "environment"]) > 0`, ""},
		"with every":                            {check + `{ every v in input { v != "environment" } }`, ""},
		"in a comparison":                       {check + `input == data.acme.helper.everything`, helper + `everything := json.unmarshal("{}")`},
		"in the message only":                   {`check := {"status": "pass", "message": input.environment.name}`, ""},
		"in an else branch":                     {check + `input.service.tier == "9" else := {"status": "fail", "message": "x"} if input.environment.tier`, ""},
		"under not":                             {check + `not input.environment`, ""},
		"in a helper rule":                      {"prod if input.environment.tier == \"production\"\n" + check + `prod`, ""},
		"in a helper of another package":        {check + `data.acme.helper.prod`, helper + `prod if input.environment.tier == "production"`},
		"through a function of another":         {check + `data.acme.helper.prod(input)`, helper + `prod(x) if x.environment.tier == "production"`},
		"in a function of another":              {check + `data.acme.helper.prod("production")`, helper + `prod(x) if input.environment.tier == x`},
		"through data by a variable":            {check + `{ some x; data.acme.helper[x] }`, helper + `prod if input.environment.tier == "production"`},
		"with input replaced":                   {check + `data.acme.helper.prod with input as {"service": {"tier": "1"}}`, helper + `prod if input.service.tier == "1"`},
		"with one member replaced":              {check + `data.acme.helper.prod with input.service.tier as "1"`, helper + `prod if input.service.tier == "1"`},
		"with a builtin replaced":               {check + `count("x") == 1 with count as data.acme.helper.prod`, helper + `prod(x) := 1 if input.environment.tier != x`},
		"in a template string":                  {`check := {"status": "pass", "message": $"runs in {input.environment.name}"}`, ""},
		"in a default of a function's argument": {"f(x) := y if y := input[x].tier\n" + check + `f("environment") == "production"`, ""},
	} {
		for _, layer := range []verdict.Layer{verdict.LayerCode, verdict.LayerCI, verdict.LayerArtifact} {
			t.Run(name+" in "+string(layer), func(t *testing.T) {
				files := map[string]string{"a.rego": ruleFile("acme."+string(layer)+".x", c.body)}
				if c.helper != "" {
					files["b.rego"] = c.helper
				}
				files["a.rego"] = strings.Replace(files["a.rego"], "id: acme."+string(layer)+".", "id: acme.one.", 1)
				_, err := Compile(files, CompileOptions{})
				if err == nil {
					t.Fatal("it compiles")
				}
				e := verdict.AsError(err)
				if !strings.Contains(e.What, "points of layer "+string(layer)+" do not have") && !strings.Contains(e.What, "in a rule of layer "+string(layer)) {
					t.Errorf("refused for another reason: %s", e.What)
				}
				if !strings.Contains(e.What, ".rego:") || e.Remedy == "" {
					t.Errorf("no place or remedy: %q → %q", e.What, e.Remedy)
				}
			})
		}
		t.Run(name+" in deploy", func(t *testing.T) {
			files := map[string]string{"a.rego": ruleFile("acme.deploy.x", c.body)}
			if c.helper != "" {
				files["b.rego"] = c.helper
			}
			if _, err := Compile(files, CompileOptions{}); err != nil {
				t.Errorf("refused where it is allowed: %v", err)
			}
		})
	}
}

// TestARuleOfNoLayerIsHeldToThePointThatUsesIt: what compilation cannot know is decided
// where the rule is used, and again when it runs.
func TestARuleOfNoLayerIsHeldToThePointThatUsesIt(t *testing.T) {
	b, err := one("acme.tier", `check := {"status": "pass", "message": "x"} if not input.environment.tier == "production"`)
	if err != nil {
		t.Fatal(err)
	}
	if b.Layer("acme.tier") != "" || !slices.Equal(b.byID["acme.tier"].Reads, []string{"input.environment.tier"}) {
		t.Errorf("layer %q, reads %v", b.Layer("acme.tier"), b.byID["acme.tier"].Reads)
	}
	if err := b.CheckLayer(verdict.LayerDeploy, []string{"acme.tier"}); err != nil {
		t.Error(err)
	}
	wantError(t, b.CheckLayer(verdict.LayerCI, []string{"acme.tier"}), "points of layer ci do not have", "deploy point")
	wantError(t, b.CheckLayer(verdict.LayerCI, []string{"acme.teir"}), "no rule \"acme.teir\"", "acme.tier")

	e, err := b.Evaluate(t.Context(), Query{Rules: []string{"acme.tier"}, Input: Example(verdict.LayerCI), At: noon})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Results) != 0 || len(e.Faults) != 1 || e.Faults[0].Code != FaultLayer {
		t.Errorf("in ci it was not refused: %+v", e)
	}
}

func TestReadsAreWhatIsWrittenOut(t *testing.T) {
	b, err := one("acme.deploy.x", `check := {"status": "pass", "message": "x"} if {
	some f in input.vulnerabilities.findings
	f.fixed == ""
	input.checks["iac"].state == "verified"
	some name in input.change.files
	data.verdict.lib.known(input.artifact.sbom)
	input.evidence[0].kind == input.decision.trigger
	input.promotions.list[_].digest == input.subject.digest
}`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"input.artifact.sbom", "input.change.files", "input.checks.iac.state", "input.decision.trigger",
		"input.evidence", "input.promotions.list", "input.subject.digest", "input.vulnerabilities.findings"}
	if got := b.byID["acme.deploy.x"].Reads; !slices.Equal(got, want) {
		t.Errorf("reads %v\nwant  %v", got, want)
	}
}

func TestEveryBuiltinThatRulesMayNotCallIsRefusedWithItsReason(t *testing.T) {
	c := reduced()
	if len(c.Builtins) != len(allowed) {
		t.Errorf("%d builtins are allowed, %d of them exist", len(allowed), len(c.Builtins))
	}
	if len(c.AllowNet) != 0 || c.AllowNet == nil {
		t.Error("the engine may reach a host")
	}
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		if slices.Contains(allowed, b.Name) {
			continue
		}
		if strings.Contains(refusal(b.Name), "nobody has read") {
			t.Errorf("%s is neither allowed nor refused for a reason: a new engine brought it", b.Name)
		}
		if b.IsDeprecated() || b.Name == "print" || strings.HasPrefix(b.Name, "internal.") {
			continue
		}
		args := slices.Repeat([]string{"x"}, len(b.Decl.FuncArgs().Args))
		body := fmt.Sprintf("check := {\"status\": \"pass\", \"message\": \"x\"} if { x := input.service.name; %s(%s) }", b.Name, strings.Join(args, ", "))
		t.Run(b.Name, func(t *testing.T) {
			_, err := one("acme.deploy.x", body)
			wantError(t, err, "rules may not call "+b.Name+": "+refusal(b.Name), "evidence")
		})
	}
	for _, name := range []string{"http.send", "net.lookup_ip_addr", "opa.runtime", "rand.intn", "uuid.rfc4122", "io.jwt.encode_sign", "io.jwt.verify_rs256",
		"io.jwt.decode_verify", "json.match_schema", "json.verify_schema", "trace", "rego.parse_module", "graph.reachable_paths", "graphql.parse",
		"crypto.x509.parse_keypair", "providers.aws.sign_req", "regex.globs_match", "strings.render_template", "bits.lsh"} {
		if slices.Contains(allowed, name) || ast.BuiltinMap[name] == nil {
			t.Errorf("%s is allowed, or does not exist", name)
		}
	}
}

func TestInspectionDescribesWhatCompilationRefuses(t *testing.T) {
	files := map[string]string{"a.rego": ruleFile("acme.ci.x", `check := {"status": "pass", "message": "x"} if {
	input.environment.tier == "production"
	helper
}
helper if http.send({"url": "https://x", "method": "get"}).status_code == 200`)}
	b, err := Compile(files, CompileOptions{Inspect: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Forbidden("acme.one.x"); !slices.Equal(got, []string{"http.send"}) {
		t.Errorf("forbidden %v", got)
	}
	rules, ok := b.Select("acme.one.x")
	if !ok || !slices.Equal(rules[0].Reads, []string{"input.environment.tier"}) {
		t.Errorf("rules %+v", rules)
	}
	_, err = b.Evaluate(t.Context(), Query{Rules: []string{"acme.one.x"}, Input: Example(verdict.LayerCI), At: noon})
	wantError(t, err, "decides nothing", "Inspect")
	if got := mustBuiltin(t).Forbidden("ci.secrets.none"); len(got) != 0 {
		t.Errorf("a built-in rule calls %v", got)
	}
}

func TestSelectorsNameRulesAndNeverNothing(t *testing.T) {
	b := mustBuiltin(t)
	for selector, want := range map[string]string{
		"ci.secrets.none":                       "ci.secrets.none",
		"ci.secrets":                            "ci.secrets.none",
		"ci.secrets.*":                          "ci.secrets.none",
		"verdict.rules.ci.secrets":              "ci.secrets.none",
		"data.verdict.rules.ci.secrets":         "ci.secrets.none",
		"verdict.rules.ci.vulnerabilities":      "ci.vulnerabilities.exploited ci.vulnerabilities.fixable ci.vulnerabilities.malicious ci.vulnerabilities.stated",
		"ci.vulnerabilities.*":                  "ci.vulnerabilities.exploited ci.vulnerabilities.fixable ci.vulnerabilities.malicious ci.vulnerabilities.stated",
		"ci.vulnerabilities.fixable":            "ci.vulnerabilities.fixable",
		"ci.vuln":                               "",
		"ci.secret":                             "",
		"":                                      "",
		"*":                                     "",
		".*":                                    "",
		"verdict.rules.code.ownership":          "code.ownership.agreed code.ownership.paths code.ownership.protected",
		"verdict.rules.artifact.trust.checked":  "artifact.trust.checked",
		"verdict.rules.artifact.trusts":         "",
		"verdict.rules.ci.vulnerabilities.fixe": "",
	} {
		rules, ok := b.Select(selector)
		var ids []string
		for _, r := range rules {
			ids = append(ids, r.ID)
		}
		if got := strings.Join(ids, " "); got != want || ok != (want != "") {
			t.Errorf("%q selects %q (%t), want %q", selector, got, ok, want)
		}
	}
}

// TestARecordedBundleIsRestoredAsItWas: replay under a later program, whose built-in
// rules are others, still asks the rules of that day.
func TestARecordedBundleIsRestoredAsItWas(t *testing.T) {
	was, err := one("acme.ci.x", passes)
	if err != nil {
		t.Fatal(err)
	}
	files := was.Files()
	again, err := Restore(files)
	if err != nil {
		t.Fatal(err)
	}
	if again.Digest() != was.Digest() || !reflect.DeepEqual(again.Rules(), was.Rules()) {
		t.Errorf("digest %s and rules %v, were %s and %v", again.Digest(), again.Rules(), was.Digest(), was.Rules())
	}
	name := BuiltinPrefix + "ci_secrets.rego"
	files[name] = strings.Replace(files[name], "severity: critical", "severity: low", 1)
	changed, err := Restore(files)
	if err != nil {
		t.Fatal(err)
	}
	rules, _ := changed.Select("ci.secrets.none")
	if changed.Digest() == was.Digest() || rules[0].Severity != verdict.SeverityLow {
		t.Errorf("the rules of this program stood in: %+v", rules)
	}
	files[name] += "}"
	_, err = Restore(files)
	wantError(t, err, "does not compile", "version of verdict")
}

func TestTheDigestIsOfPathsAndRulesAlone(t *testing.T) {
	base := map[string]string{"a.rego": ruleFile("acme.ci.x", passes)}
	digest := func(files map[string]string, o CompileOptions) verdict.Digest {
		t.Helper()
		b, err := Compile(files, o)
		if err != nil {
			t.Fatal(err)
		}
		return b.Digest()
	}
	want := digest(base, CompileOptions{})
	if digest(map[string]string{"a.rego": base["a.rego"], "a_test.rego": "package acme_test\n", "a.cases.yaml": "schema: verdict.cases/v1"}, CompileOptions{}) != want {
		t.Error("a test changes the digest of the rules")
	}
	if digest(map[string]string{"b.rego": base["a.rego"]}, CompileOptions{}) == want {
		t.Error("another path, the same digest")
	}
	if digest(map[string]string{"a.rego": base["a.rego"] + "#"}, CompileOptions{}) == want {
		t.Error("another text, the same digest")
	}
	alone := digest(base, CompileOptions{Alone: true})
	if alone == want {
		t.Error("without the built-in rules the digest is the same")
	}
	line := sha256Digest([]byte(base["a.rego"])).Hex() + "  a.rego\n" // as sha256sum prints it
	if alone != sha256Digest([]byte(line)) {
		t.Errorf("digest %s is not that of sha256sum's line", alone)
	}
}

func TestALinkOutOfTheDirectoryIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/outside.rego", ruleFile("acme.ci.x", passes))
	writeFile(t, dir+"/in/a.rego", ruleFile("acme.ci.y", passes))
	if err := symlink("../outside.rego", dir+"/in/b.rego"); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if files, err := Open(dir + "/in"); err == nil {
		t.Errorf("rules were read through a link: %v", files)
	}
}

func TestConftestRulesAreFoundAndMarked(t *testing.T) {
	b, err := Compile(map[string]string{"a.rego": `package main

deny contains msg if {
	input.service.owner == ""
	msg := "no owner"
}

warn_tier contains "no tier" if input.service.tier == ""

violation contains {"msg": "no team", "details": {"x": 1}} if input.service.team == ""
`}, CompileOptions{Alone: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range b.Rules() {
		got = append(got, fmt.Sprintf("%s %s %t %s", r.ID, r.Effect, r.Partial, r.Reads))
	}
	want := []string{"main.deny deny true [input.service.owner]", "main.violation deny true [input.service.team]", "main.warn_tier note true [input.service.tier]"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	in := Example(verdict.LayerCI)
	ids := []string{"main.deny", "main.violation", "main.warn_tier"}
	statuses := func() (out []verdict.RuleStatus) {
		e, err := b.Evaluate(t.Context(), Query{Rules: ids, Input: in, At: noon})
		if err != nil || len(e.Results) != 3 {
			t.Fatalf("%v %+v", err, e)
		}
		for _, r := range e.Results {
			out = append(out, r.Status)
		}
		return out
	}
	if got := statuses(); slices.Contains(got, verdict.RuleFail) {
		t.Errorf("nothing is wrong, got %v", got)
	}
	in.Service.Owner, in.Service.Team, in.Service.Tier = "", "", ""
	if got := statuses(); slices.Contains(got, verdict.RulePass) {
		t.Errorf("everything is wrong, got %v", got)
	}
}
