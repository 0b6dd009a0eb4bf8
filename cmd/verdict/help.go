package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"verdict/ci"
	"verdict/report"
)

// topic is a page of help that belongs to no single command.
type topic struct{ name, short, text string }

// topics are also pages of the reference and of the manual.
var topics = []topic{
	{"exit-codes", "What the exit code of a command means", `0    allowed, or done
1    could not decide: an outage, a missing or stale input, bad data, a defect; pipelines stay closed
2    the command was written wrong; nothing was done
3    blocked; or a proof was checked and does not hold
4    not signed in, or not permitted
5    a person has to approve
130  interrupted

The codes cannot be configured. --report-only turns 3 and 5 into 0 and says so; 1 stays 1. Where a real failure stands beside something that could not be decided, 3 wins over 1.`},
	{"configuration", "Flags, variables and the configuration file", `Every flag is also a variable and a key of the configuration file. A flag counts before a variable, a variable before the file, the file before the default. verdict config explain prints each value and where it is from.

--report-only            VERDICT_REPORT_ONLY            report_only
log verify --signatures  VERDICT_LOG_VERIFY_SIGNATURES  commands.log.verify.signatures

The file is $XDG_CONFIG_HOME/verdict/config.yaml, or what --config or VERDICT_CONFIG names:

    data: /srv/verdict
    output: [text, sarif=verdict.sarif]
    database: file:/run/secrets/verdict-database

An empty value is an error wherever it stands, and so are an unknown key and a variable whose name is that of a setting but for a letter or two. Other VERDICT_ variables are yours; verdict config explain lists them. A secret is a reference, file:PATH or env:NAME, never the secret itself. A toggle is written --offline, --offline=true or --offline=false.`},
	{"false-positives", "How it is stated that a find is none", `A find of the check for secrets that is no secret, and one of the check iac that is wrong about a file, is stated in the file .verdictignore at the repository's root. It counts as it stands on the branch that the change goes to: a change cannot excuse itself. Let its owners protect it.

    schema: verdict-ignore/v1
    false_positives:
      - key: secret:generic-api-key:3f1a:config/app.yaml
        reason: the public key of the sandbox
        owner: appsec
        expires: 2027-03-31
      - key: iac:AVD-AWS-0107:aws_security_group.web:infra/net.tf
        reason: its network has no way to the internet
        owner: platform
        expires: 2027-03-31

The key is that of the find in the output of verdict ci -o json, under items. All four are needed, and from the day that expires names the find counts again. A find that verdict ci --history names is stated in the same way once it is revoked: then it is no secret any more, and it has the same key in a commit as in the tree. It never accepts a risk: what is unsafe and wanted is not false. Known vulnerabilities (verdict help vex) and dependencies cannot be stated in it.

What lies in the repository and is never built, such as samples for a test, is left out of a check by its path: a file or a folder with all below it, where * stands for a part of a name and **/ in front for any depth.

    left_out:
      - path: examples/
        checks: [vulnerabilities, dependencies]
        reason: samples that are never installed
        owner: web
        expires: 2027-03-31

What --history searches is left out by the path that a commit had it under, in the same way. Each report says how many files were left out, why and by whom, and a bill of materials without them says that it is not whole.`},
	{"vex", "How it is stated that a known vulnerability does not matter", `A vulnerability that does not affect a product is stated in a VEX document, OpenVEX, CycloneDX or CSAF, and recorded by somebody whom the map trusts with that:

    trust:
      - {name: product security, key: product-security, kinds: [vex], services: [payments-api]}
    sources:
      product-security: {kinds: [vex], max_age: 180d}

verdict attest vex openvex.json --subject HEAD --service payments-api --as product-security

It counts for the subject that it is about, and with --service for every commit and artifact of the service, until it is older than max_age or a newer statement says affected. Nobody is trusted with it until the map names him for vex, and whoever reports the vulnerability does not excuse it. A file in the tree counts for nothing.

The find stays in the report, and the decision tells who said why. A malicious package is never excused; one that is known to be exploited only by fixed, component_not_present or vulnerable_code_not_present. verdict vex validate FILE says what cannot be used, verdict vex show FILE what is stated.`},
	{"people", "Who lets something in that rules object to, and what it takes", `At points of deployment, and nowhere before, persons can let in what rules object to. Each signs with their own enrolled key (--as KEY), or is signed in at a control plane that signs for them; the map says who may.

approve       yes to the review reasons of one decision, for exactly these facts
reject        no to them, which makes a deny of it until it is taken back
exception     a risk is accepted for a service and environments until a day: one person asks, another accepts
break-glass   one artifact is let in for hours during an emergency, and another person reviews it afterwards

    people:
      noor: {teams: [platform], accounts: {git: [noor@acme.example]}}
    points:
      - id: deploy.gate
        review: {approvers: [platform], count: 1, not: [author, requester], requires: [scope, rationale, expiry], max_validity: 24h}
    exceptions: {approvers: [security], max_validity: 30d, requires: [rule, scope, rationale, owner, expiry], approver_not: [requester, author]}
    break_glass: {who: [sre], notify: [security], max_validity: 4h, review_within: 24h, requires: [incident, rationale]}

Who wrote or committed the change, or asks for it, does not approve it. If one of them has an account that the map does not know, nobody can be shown to be another, and no approval counts: add the account to its person. Two keys of which one person enrolled the other are one hand. What is critical takes two persons: a service of the tier critical, or a reason of that severity.

With --server and without --as the control plane signs for who is signed in there (verdict login). That is its word, and counts where trust: of the map has an entry with for: people and the id of its key, for the kinds, services and environments of the entry:

    trust:
      - {name: control plane, key: "rUEHWY110gKrqSThy8hxLkuj2OzktobuxnqxtX8QgHU=", for: people, kinds: [approval, exception, break-glass], services: ["*"], environments: ["*"]}

A team counts for who is of it by the map that decides and was of it when they signed. What does not count is told with its reason by the gate and verdict why. verdict exception list --active --at TIME says which risks were accepted then.`},
	{"modules", "Which infrastructure modules may be called, by source and content", `A map with the section modules: lets Terraform and OpenTofu code call approved modules alone; without it any. The map is the one that judges, so a change cannot approve its own.

    modules:
      from: 2027-02-01   # until then another module is told and does not block
      approved:
        - {source: "github.com/acme/terraform-net//vpc", ref: 7c1f791efd61f326ed6102d564d1a65d1eceedf0, note: NET-12}
        - {source: "terraform-aws-modules/vpc/aws", version: "5.1.2", digest: "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}
        - {path: modules/vendored/net, digest: "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}

verdict map module .terraform/modules/vpc prints the entry of a module. Sources are compared as Terraform reads them: short forms are written out, the folder behind // counts, passwords do not.

git        the call gives the whole commit as ref; a tag, a branch and depth never match
registry   the call asks for exactly this version, and the content is compared
OCI        the call gives ?digest=sha256:… and the entry has the same digest; or the content is compared
archive    the call gives ?checksum=sha256:… and the entry has the same digest; or the content is compared
path       a copy in the repository; another folder of the tree is its own code and needs no entry

Content is compared where it lies: run terraform init -backend=false before verdict ci, and verdict plan check where the plan was made. h1: is a digest over all files of what was downloaded, as Go makes it of modules. What is not there was not checked, and then the point cannot decide. What a module itself calls has to be approved too; it is seen where the module lies, and in every plan.`},
	{"builders", "Who builds, and what their provenance is worth", `An artifact is trusted for what a builder that the map knows made from checked source. The section builders: of the map says who signs a builder's provenance, and which level of SLSA's build track that is worth:

    builders:
      - name: release
        identity: https://github.com/acme/*/.github/workflows/release.yml@refs/heads/main
        issuer: https://token.actions.githubusercontent.com
        builder: https://github.com/actions/runner/github-hosted
        level: 2
        build_types: [https://actions.github.io/buildtypes/workflow/v1]
        parameters: [workflow]

Signer (key, or identity with issuer), builder and build type have to fit together; * stands for one part of a word. The source has to be the repo: of the service, or one of sources:. An external parameter that parameters: does not list fails the build: somebody set something that the map does not know. The signer also needs the kind provenance under trust:.

In a pipeline of GitHub Actions, Azure Pipelines or GitLab, verdict attest provenance --from-pipeline states what was built from what. It is worth level 1 where the job's own key signs: whoever runs the step can set its variables. verdict artifact trust decides, and says what is missing.`},
	{"tools", "Other tools in the place of Verdict's own checks, or beside them", `What another tool found is evidence of a check once the map says which question the tool answers. The map is the one that judges: the released one, or verdict.yaml as the base of the change has it.

    sources:
      semgrep:
        kinds: [sast]
        command: [semgrep, scan, --json, --config, /etc/semgrep/rules.yaml]
        format: semgrep
        sha256: 1f0c…   # of the program's file; sha256sum prints it
        timeout: 15m    # 10m where nothing is said

verdict ci runs the commands of a released map whose answer a ci point needs, in the folder that it judges, without a shell and without the pipeline's variables, and reads what they print. A change cannot bring its command: the map of a branch gives none, and no program of the tree runs. What the tool itself reads from the tree, such as its own ignore file, a change can bring: let the command say where its settings are. With --diff and --service too a tool reads the whole folder.

What takes long can wait until it is asked for. verdict ci --reach runs the tools of the form govulncheck, in each Go module of the tree, and says of what is vulnerable whether it is called; one with on_demand: true runs in no other case, and a run without it says so.

    sources:
      govulncheck:
        kinds: [go-symbols]
        command: [govulncheck, -json, -db, "file:///srv/vulndb", ./...]
        format: govulncheck
        on_demand: true

Helm charts are rendered, and judged as what they would set up, where the released map has a source for that; it has no kinds. Options of helm template that are always meant follow in command: such as --kube-version.

    sources:
      helm: {command: [helm, template], format: helm}

A tool that ran elsewhere is recorded with verdict attest FORMAT FILE --tool semgrep --subject COMMIT --as KEY, and counts where trust: lets that key state the kind. The forms are ` + strings.Join(ci.ResultFormats(), ", ") + `.

A tool that fails, hangs, floods, is missing, is another than the pinned one, prints another form or looked at nothing leaves its check incomplete, and the point that needs it cannot decide. What a tool was told to suppress counts. Where several tools answer one question, one is primary: true; another one's pass does not take back a fail.`},
	{"output", "Formats, files and pipelines", `Results go to standard output, everything else to standard error. -o FORMAT chooses the format of standard output; -o FORMAT=FILE writes a file, whole or not at all; both may be given, -o repeatedly. A file that is written into the tree is part of the tree for the next verdict ci without the same -o, which then is not its commit any more: write it elsewhere, or let .gitignore name it. A link in the tree is not followed.

text         for people; the default
json         documented schemas; errors too (code, what, remedy)
sarif        SARIF 2.1.0, for code scanning
junit        JUnit XML, for test reports
markdown     for summaries and comments, at most 900 KB
codequality  GitLab's code quality report
cyclonedx    the bill of materials of what was checked, as CycloneDX 1.6
spdx         the same as SPDX 2.3

GitHub Actions and Azure Pipelines are recognised: the summary page, annotations for the worst ten findings and the step's outputs are written without being asked for. On GitLab add -o codequality=FILE or -o junit=FILE and name the file under artifacts: reports.

Colour is for terminals; NO_COLOR, CLICOLOR_FORCE and TERM=dumb are honoured. Text from what was scanned is made harmless in every format: a control character is shown as an escape such as \x1b.`},
}

// helpCommand is `verdict help`, which unlike the library's ends with 2 for a name that
// does not exist.
func helpCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND|TOPIC]", Short: "Explain a command or a topic", Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return helpNames(c.Root(), args), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := (command{}).checkOutputs(c, a.config.Output); err != nil {
				return err
			}
			s := lookAt(a.stdout, a.env)
			at := c.Root()
			for i, w := range args {
				if t := slices.IndexFunc(topics, func(t topic) bool { return t.name == w }); i == 0 && len(args) == 1 && t >= 0 {
					_, err := fmt.Fprint(a.stdout, topicText(topics[t], s))
					return err
				}
				next := slices.IndexFunc(at.Commands(), func(c *cobra.Command) bool { return c.Name() == w })
				if next < 0 {
					return usage("verdict --help", fmt.Sprintf("there is no help for %q", strings.Join(args, " ")), meant(w, helpNames(c.Root(), args[:i]), "verdict help ", "verdict --help lists commands and topics"))
				}
				at = at.Commands()[next]
			}
			_, err := fmt.Fprint(a.stdout, helpText(at, s))
			return err
		},
	}
}

// mayExplain refuses to answer --help where the words say something that does not exist:
// a script that mistypes a command would end with 0.
func (a *app) mayExplain(c *cobra.Command, args []string) error {
	if c.HasSubCommands() && len(args) > 0 {
		return missing(c, args)
	}
	formats := strings.Split(c.Annotations[formatsOf], ", ")
	if c.Annotations[formatsOf] == "" {
		formats = nil
	}
	entry := command{formats: formats, args: atLeast(0)}
	if err := entry.checkOutputs(c, a.config.Output); err != nil {
		return err
	}
	return entry.checkArgs(c, args)
}

func helpNames(root *cobra.Command, under []string) []string {
	var out []string
	at := root
	for _, w := range under {
		for _, c := range at.Commands() {
			if c.Name() == w {
				at = c
			}
		}
	}
	for _, c := range at.Commands() {
		if c.IsAvailableCommand() {
			out = append(out, c.Name())
		}
	}
	if len(under) == 0 {
		for _, t := range topics {
			out = append(out, t.name)
		}
	}
	return out
}

// useLine is the command as it is typed.
func useLine(c *cobra.Command) string {
	line := c.CommandPath()
	if _, args, ok := strings.Cut(c.Use, " "); ok {
		line += " " + args
	} else if c.HasAvailableSubCommands() {
		line += " COMMAND"
	}
	return line + " [FLAGS]"
}

// helpText is the help of one command.
func helpText(c *cobra.Command, s screen) string {
	var b strings.Builder
	style := report.Style{Colour: s.colour, Width: s.width}
	head := func(t string) { fmt.Fprintf(&b, "\n%s\n", style.Strong(t)) }
	fmt.Fprintf(&b, "%s\n", report.Wrap(c.Short+".", s.width, ""))
	if c.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", report.Wrap(c.Long, s.width, ""))
	}
	head("Usage")
	fmt.Fprintf(&b, "  %s\n", useLine(c))
	if f := c.Annotations[formatsOf]; f != "" {
		fmt.Fprintf(&b, "  -o takes %s\n", f)
	}
	if c.HasAvailableSubCommands() {
		head("Commands")
		var rows [][]string
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				rows = append(rows, []string{sub.Name(), sub.Short})
			}
		}
		b.WriteString(report.Table(rows, s.width, "  "))
	}
	if c.Example != "" {
		head("Examples")
		for line := range strings.Lines(c.Example) {
			fmt.Fprintf(&b, "  %s\n", strings.TrimRight(line, "\n"))
		}
	}
	if !c.HasParent() {
		head("Topics")
		var rows [][]string
		for _, t := range topics {
			rows = append(rows, []string{"help " + t.name, t.short})
		}
		b.WriteString(report.Table(rows, s.width, "  "))
	}
	if rows := flagRows(c.LocalNonPersistentFlags()); len(rows) > 0 && c.HasParent() {
		head("Flags")
		b.WriteString(report.Table(rows, s.width, "  "))
	}
	shared := c.InheritedFlags()
	if !c.HasParent() {
		shared = c.PersistentFlags()
	}
	if rows := flagRows(shared); len(rows) > 0 && !c.HasAvailableSubCommands() || !c.HasParent() {
		head("Flags of every command")
		b.WriteString(report.Table(rows, s.width, "  "))
	}
	return b.String()
}

func flagRows(set *pflag.FlagSet) [][]string {
	var rows [][]string
	set.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" && f.Name != "version" {
			rows = append(rows, []string{flagForm(f), flagHelp(f)})
		}
	})
	return rows
}

// flagForm is the flag as it is typed: "-o, --output FORMAT[=FILE]".
func flagForm(f *pflag.Flag) string {
	form := "--" + f.Name
	if f.Shorthand != "" {
		form = "-" + f.Shorthand + ", " + form
	}
	if f.NoOptDefVal == "" {
		form += " " + f.Value.Type()
	}
	return form
}

// flagHelp is what the flag does, with a default that is not simply off or nothing.
func flagHelp(f *pflag.Flag) string {
	if f.DefValue == "" || f.DefValue == "false" {
		return f.Usage
	}
	return f.Usage + " (default " + f.DefValue + ")"
}

func topicText(t topic, s screen) string {
	var b strings.Builder
	style := report.Style{Colour: s.colour, Width: s.width}
	fmt.Fprintf(&b, "%s\n\n", style.Strong(t.short))
	for para := range strings.SplitSeq(t.text, "\n\n") {
		b.WriteString(topicParagraph(para, s.width) + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// topicParagraph wraps prose, aligns lines of two or more columns (which are two spaces
// apart), and leaves indented lines as they are.
func topicParagraph(para string, width int) string {
	if strings.HasPrefix(para, "    ") {
		return para + "\n"
	}
	if rows := columns(para); rows != nil {
		return report.Table(rows, width, "  ")
	}
	return report.Wrap(para, width, "") + "\n"
}

// columns reads lines whose cells are two spaces apart; nil when a line is prose.
func columns(para string) [][]string {
	var rows [][]string
	for line := range strings.SplitSeq(para, "\n") {
		var row []string
		for cell := range strings.SplitSeq(line, "  ") {
			if cell = strings.TrimSpace(cell); cell != "" {
				row = append(row, cell)
			}
		}
		if len(row) < 2 {
			return nil
		}
		rows = append(rows, row)
	}
	return rows
}
