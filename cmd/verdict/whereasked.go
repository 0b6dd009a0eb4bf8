package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"verdict"
	"verdict/advisory"
	"verdict/ledger"
	"verdict/report"
	"verdict/sbom"
)

// asked is what somebody wants to find: the parts of the question, and how it is put to
// the index.
type asked struct {
	text string // for people
	kind string // package, vulnerability, licence, component
	ids  []string
	db   *verdict.Database
	q    ledger.WhereQuery
	// open counts components of which it cannot be told, where they are too many to be
	// listed one by one.
	open map[string]bool
	// release says that a question about a package of a distribution leaves its release open.
	release string
}

const seeWhere = "verdict where --help"

// vulnerabilityID is the form of an id of a database of vulnerabilities: letters in
// capitals, a hyphen, and something with a digit.
var vulnerabilityID = regexp.MustCompile(`^(?i)(CVE|GHSA|GO|PYSEC|RUSTSEC|MAL|OSV|CGA|DSA|DLA|RHSA|RHBA|RHEA|USN|ALAS|ALSA|BIT|CURL|EEF|ELSA|GSD|HSEC|JLSEC|LBSEC|MGASA|OSEC|OESA|PSF|RLSA|RSEC|RXSA|SUSE|OPENSUSE|AZL|BELL|MINI|UBUNTU|V8|DRUPAL)-[A-Za-z0-9-]*[0-9a-z][A-Za-z0-9:.-]*$`)

// ask reads the question. close gives back what it holds open.
func (a *app) ask(args []string, licence, name string) (x *asked, done func() error, err error) {
	done = func() error { return nil }
	given := len(args)
	for _, s := range []string{licence, name} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return nil, done, usage(seeWhere, fmt.Sprintf("where answers one question, and %d are asked", given), "name one package URL, one vulnerability, --licence ID or --component NAME")
	}
	switch {
	case licence != "":
		x, err = askLicence(licence)
	case name != "":
		x = &asked{text: "component " + name, kind: "component", q: ledger.WhereQuery{Named: name}}
	case strings.HasPrefix(args[0], "pkg:"):
		x, err = askPackage(args[0])
	case vulnerabilityID.MatchString(args[0]):
		return a.askVulnerability(args[0])
	default:
		err = usage(seeWhere, fmt.Sprintf("%q is neither a package URL nor the id of a vulnerability", report.Neutral(args[0])),
			fmt.Sprintf("write verdict where '%s', verdict where CVE-2026-0001, verdict where --licence MIT, or verdict where --component NAME to search names", report.Neutral(likelyPackage(args[0]))))
	}
	return x, done, err
}

// likelyPackage is the package URL that somebody may have meant who wrote none: what begins
// with a type lacks the scheme alone, and what begins with a host is a module of Go.
func likelyPackage(text string) string {
	text = strings.Trim(text, "/<>=* ")
	before, _, inner := strings.Cut(text, "/")
	switch {
	case inner && (slices.Contains(sbom.Types(), before) || slices.Contains(otherTypes, before)):
		return "pkg:" + text
	case inner && strings.Contains(before, "."):
		return "pkg:golang/" + text
	}
	return "pkg:npm/" + strings.TrimRight(text, "@")
}

// otherTypes are types of package URLs that are no mistyped ones: no advisories are about
// them, and bills list them.
var otherTypes = []string{"alpm", "apk", "bitbucket", "bitnami", "cocoapods", "conda", "cpan", "deb", "docker", "generic", "git", "helm",
	"huggingface", "luarocks", "mlflow", "oci", "otp", "qpkg", "rpm", "swid", "terraform"}

// askPackage reads a package URL whose version may be a range.
func askPackage(text string) (*asked, error) {
	name, versions := text, ""
	// The name of an npm scope begins with an @ of its own.
	if i := strings.LastIndexByte(text, '@'); i > 0 && text[i-1] != '/' {
		name, versions = text[:i], text[i+1:]
		if version, qualifiers, ok := strings.Cut(versions, "?"); ok { // they follow the version, and say the release
			name, versions = name+"?"+qualifiers, version
		}
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(name, "pkg:"), "/")
	if rest, ok := strings.CutPrefix(name, "pkg:"+kind+"/@"); ok {
		name = "pkg:" + kind + "/%40" + rest
	}
	p, err := sbom.ParsePURL(name)
	if err != nil {
		return nil, err
	}
	x := &asked{text: text, kind: "package"}
	one := ledger.PackageQuery{Ecosystem: "pkg:" + p.Type, Name: strings.TrimPrefix(p.Namespace+"/"+p.Name, "/")}
	if c, known := p.Component(); known {
		one.Ecosystem, one.Name = c.Ecosystem, c.Name
		versions = versionOf(p, versions)
	} else if example := sbom.ReleaseExample(p); example != "" && len(p.Qualifiers) == 0 {
		x.release = fmt.Sprintf("only bills that name no release of %s were asked: name one, as in 'pkg:%s/%s?distro=%s'", report.Neutral(p.Namespace), p.Type, report.Neutral(one.Name), example)
	} else if near := nearest(p.Type, sbom.Types()); near != "" && !slices.Contains(otherTypes, p.Type) {
		return nil, usage(seeWhere, fmt.Sprintf("the package URL has the type %q, which no ecosystem has", report.Neutral(p.Type)), fmt.Sprintf("did you mean 'pkg:%s/%s'?", near, report.Neutral(one.Name)))
	}
	holds, err := versionRange(one.Ecosystem, one.Name, versions)
	if err != nil {
		if x.release != "" {
			return nil, usage(seeWhere, verdict.AsError(err).What, fmt.Sprintf("name the release whose order it is: '%s?distro=%s'", report.Neutral(text), sbom.ReleaseExample(p)))
		}
		return nil, err
	}
	one.Holds = holds
	one.Same = sameName(one.Ecosystem, one.Name)
	x.q.Packages = []ledger.PackageQuery{one}
	return x, nil
}

// versionOf is the version that a package URL of one installed package means, in the form
// that advisories use: that of its source, with the epoch. A range is left as it is.
func versionOf(p sbom.PackageURL, text string) string {
	if text == "" || p.Type != "rpm" && p.Type != "deb" && p.Type != "apk" || strings.ContainsAny(text, "<>=!|,* ") || strings.HasPrefix(text, "vers:") {
		return text
	}
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	p.Version = text
	if c, ok := p.Component(); ok {
		return c.Version
	}
	return text
}

// sameName finds a package under every spelling that its registry takes for one.
func sameName(ecosystem, name string) func(string) bool {
	if !advisory.Folds(ecosystem) {
		return nil
	}
	want := advisory.PackageOf(ecosystem, name)
	return func(other string) bool { return advisory.PackageOf(ecosystem, other) == want }
}

func askLicence(text string) (*asked, error) {
	id, known := sbom.LicenceID(text)
	if !known {
		remedy := "write it as SPDX does, such as --licence GPL-3.0-only, or --licence 'GPL-*' for all that begin so"
		if near := sbom.NearLicences(text); len(near) > 0 {
			remedy = "did you mean " + strings.Join(near, ", ") + "?"
		}
		return nil, usage(seeWhere, fmt.Sprintf("SPDX has no licence %q", report.Neutral(text)), remedy)
	}
	x := &asked{text: "licence " + id, kind: "licence", open: map[string]bool{}}
	x.q.Licence = func(declared []string) (bool, error) {
		yes, told := sbom.UnderLicence(declared, id)
		if !told {
			x.open[strings.Join(declared, ", ")] = true
		}
		return yes, nil
	}
	return x, nil
}

// askVulnerability finds the packages that an advisory is about, and asks of each of
// their versions whether it is affected, as the check does.
func (a *app) askVulnerability(id string) (x *asked, done func() error, err error) {
	done = func() error { return nil }
	id = strings.ToUpper(id)
	if rest, ok := strings.CutPrefix(id, "GHSA-"); ok {
		id = "GHSA-" + strings.ToLower(rest)
	}
	if rest, ok := strings.CutPrefix(id, "OPENSUSE-"); ok {
		id = "openSUSE-" + rest
	}
	file, err := a.indexFile(false)
	if err != nil {
		return nil, done, err
	}
	index, err := a.openAdvisories(file)
	if err != nil {
		return nil, done, err
	}
	named, err := index.Find(id)
	if err == nil && len(named.Packages) == 0 {
		fetch := "fetch newer advisories with verdict advisories update"
		if a.hosted != nil {
			fetch = "have somebody with the role security fetch newer advisories: verdict advisories update --at-server"
		}
		err = &verdict.Error{
			Code: verdict.CodeNotFound, What: fmt.Sprintf("no installed advisory is called %s, so it is not known which packages it is about", id),
			Remedy: fetch + ", or ask for the package itself: verdict where 'pkg:npm/NAME@<VERSION'",
		}
	}
	if err != nil {
		return nil, done, errors.Join(err, index.Close())
	}
	db := index.Database()
	x = &asked{text: id, kind: "vulnerability", ids: named.IDs, db: &db}
	for _, p := range named.Packages {
		x.q.Packages = append(x.q.Packages, ledger.PackageQuery{
			Ecosystem: p.Ecosystem, Name: p.Name, Same: sameName(p.Ecosystem, p.Name), Holds: affectedBy(index, p, named.All()),
		})
	}
	return x, index.Close, nil
}

// affectedBy asks the advisories whether one of the ids is about a version.
func affectedBy(index *advisory.Index, p advisory.Package, ids []string) func(name, version string) (bool, error) {
	return func(name, version string) (bool, error) {
		hits, err := index.Match(verdict.Component{Ecosystem: p.Ecosystem, Name: name, Version: version})
		if slices.ContainsFunc(hits, func(v verdict.Vulnerability) bool { return advisory.Names(v, ids) }) {
			return true, nil
		}
		var open *advisory.UnjudgedError
		if errors.As(err, &open) && len(open.Advisories) > 0 && !slices.ContainsFunc(open.Advisories, func(id string) bool { return slices.Contains(ids, id) }) {
			return false, nil // another advisory could not be judged
		}
		return false, err
	}
}

// comparator is one bound of a range.
type comparator struct{ op, version string }

var operators = []string{"<=", ">=", "!=", "==", "<", ">", "="}

// versionRange reads a version, bounds that all hold (">=1,<2"), or a range as vers has
// it (">=1|<2|>=3|<4"). nil stands for every version.
func versionRange(ecosystem, name, text string) (func(name, version string) (bool, error), error) {
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, "vers:"); ok {
		_, text, _ = strings.Cut(rest, "/")
	}
	if text == "" || text == "*" {
		return nil, nil
	}
	sep := ","
	if strings.Contains(text, "|") {
		sep = "|"
	}
	var bounds []comparator
	for part := range strings.SplitSeq(text, sep) {
		c := comparator{"=", strings.TrimSpace(part)}
		for _, op := range operators {
			if rest, ok := strings.CutPrefix(c.version, op); ok {
				c.op, c.version = op, strings.TrimSpace(rest)
				break
			}
		}
		if c.op == "==" {
			c.op = "="
		}
		if c.version == "" || strings.ContainsAny(c.version, "<>=!|,* ") {
			return nil, usage(seeWhere, fmt.Sprintf("%q is no version and no bound of one", report.Neutral(part)), "write @1.2.3, @<2, @>=1,<2, or nothing for every version")
		}
		if c.op != "=" && c.op != "!=" {
			if _, err := advisory.Compare(ecosystem, name, c.version, c.version); err != nil {
				return nil, usage(seeWhere, fmt.Sprintf("the bound %s%s cannot be compared: %v", c.op, report.Neutral(c.version), err), "give a version that the ecosystem can order, or ask for one version: @"+report.Neutral(c.version))
			}
		}
		bounds = append(bounds, c)
	}
	compare := func(a, b string) (int, error) {
		if a == b {
			return 0, nil
		}
		return advisory.Compare(ecosystem, name, a, b)
	}
	if sep == "|" {
		return func(_, v string) (bool, error) { return anyInterval(bounds, v, compare) }, nil
	}
	return func(_, v string) (bool, error) { return allHold(bounds, v, compare) }, nil
}

func allHold(bounds []comparator, v string, compare func(a, b string) (int, error)) (bool, error) {
	for _, c := range bounds {
		if yes, err := c.holds(v, compare); err != nil || !yes {
			return false, err
		}
	}
	return true, nil
}

// holds compares one version.
func (c comparator) holds(v string, compare func(a, b string) (int, error)) (bool, error) {
	n, err := compare(v, c.version)
	if errors.Is(err, advisory.ErrUnordered) && (c.op == "=" || c.op == "!=") {
		n, err = strings.Compare(v, c.version), nil // where nobody knows an order, the text is all there is
	}
	if err != nil {
		return false, err
	}
	switch c.op {
	case "=":
		return n == 0, nil
	case "!=":
		return n != 0, nil
	case "<":
		return n < 0, nil
	case "<=":
		return n <= 0, nil
	case ">":
		return n > 0, nil
	}
	return n >= 0, nil
}

// anyInterval evaluates a range of vers: single versions, and bounds in rising order of
// which each lower one opens an interval and the next upper one closes it.
func anyInterval(bounds []comparator, v string, compare func(a, b string) (int, error)) (bool, error) {
	var low *comparator
	var intervals [][]comparator
	for i, c := range bounds {
		switch c.op {
		case "=":
			intervals = append(intervals, []comparator{c})
		case "!=":
			if yes, err := c.holds(v, compare); err != nil || !yes {
				return false, err
			}
		case ">", ">=":
			if low == nil {
				low = &bounds[i]
			}
		default:
			if low != nil {
				intervals = append(intervals, []comparator{*low, c})
				low = nil
			} else {
				intervals = append(intervals, []comparator{c})
			}
		}
	}
	if low != nil {
		intervals = append(intervals, []comparator{*low})
	}
	var open error
	for _, in := range intervals {
		yes, err := allHold(in, v, compare)
		if yes {
			return true, nil
		}
		open = errors.Join(open, err)
	}
	return false, open
}

// indexOf opens the installed advisories; nil where there are none.
func (a *app) indexOf() (*advisory.Index, error) {
	file, err := a.indexFile(false)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return advisory.Open(file)
}
