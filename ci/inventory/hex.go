package inventory

import (
	"errors"
	"strings"

	"verdict/ci/wording"
)

// parseMixLock reads mix.lock:
//
//	%{
//	  "jason": {:hex, :jason, "1.4.0", "<inner sum>", [:mix], [{:decimal, "~> 1.0", [optional: true]}], "hexpm", "<outer sum>"},
//	  "ours": {:git, "https://…", "<commit>", [branch: "main"]},
//	}
//
// The outer sum is that of what is downloaded. What the project asks for stands in a
// program, mix.exs: what nobody else asks for, the project does.
func parseMixLock(content []byte) (*locked, error) {
	t := newTerms(content)
	root, err := t.value()
	switch {
	case err != nil:
		return nil, err
	case root.kind != termMap:
		return nil, errors.New("it is no lockfile of Mix: it holds no map")
	case t.peek() != 0:
		return nil, t.fault("text after the end")
	}
	x := newNamed(EcosystemHex, "mix deps.get")
	for _, p := range root.list {
		if p.kind != termPair {
			return nil, newTermsAt(p.line).fault("an entry without a key")
		}
		app, value := p.at(0).word(), p.at(1)
		n := node{name: app, line: p.line}
		switch value.at(0).word() {
		case "hex":
			n.name, n.version = value.at(1).word(), value.at(2).word()
			n.hashes = hashOfHex("sha256", value.at(7).word())
			if repo := value.at(6).word(); repo != "" && repo != "hexpm" {
				n.kind, n.address = addressed, repo
			}
			n.asks = mixWishes(value.at(5))
		case "git":
			n.kind, n.address, n.silent = addressed, value.at(1).word()+"#"+value.at(2).word(), true
		default:
			return nil, newTermsAt(p.line).fault("a source that is not known: " + wording.Cut(value.at(0).word(), 40))
		}
		i, fresh := x.put(n)
		if _, twice := x.byName[app]; !fresh || twice && app != n.name {
			return nil, newTermsAt(p.line).fault(wording.Cut(app, 120) + " stands twice")
		}
		x.byName[app] = i
	}
	x.unasked()
	return x.locked, nil
}

func newTermsAt(line int64) *termText { return &termText{line: line} }

func mixWishes(list term) (asks []ask) {
	for _, d := range list.list {
		options := d.at(2)
		a := ask{name: d.at(0).word(), optional: options.member("optional").word() == "true"}
		asks = append(asks, a)
	}
	return asks
}

// parseRebarLock reads rebar.lock:
//
//	{"1.2.0",
//	[{<<"cowlib">>,{pkg,<<"cowlib">>,<<"2.12.1">>},1},
//	 {<<"ours">>,{git,"https://…",{ref,"<commit>"}},0}]}.
//	[
//	{pkg_hash,[{<<"cowlib">>, <<"<inner sum>">>}]},
//	{pkg_hash_ext,[{<<"cowlib">>, <<"<outer sum>">>}]}
//	].
//
// The number behind a package is how deep it was found: 0 is what the project asks for.
func parseRebarLock(content []byte) (*locked, error) {
	terms, err := rebarTerms(content)
	if err != nil {
		return nil, err
	}
	x := newNamed(EcosystemHex, "rebar3 lock")
	list, sums := term{kind: termList}, term{}
	for _, t := range terms {
		switch {
		case t.kind == termTuple:
			list = t.at(1)
		case len(terms) == 1: // of rebar3 before 3.0: the list alone
			list = t
		default:
			sums = t.member("pkg_hash_ext")
		}
	}
	if list.kind != termList {
		return nil, errors.New("it is no lockfile of rebar3")
	}
	root := node{kind: project}
	for _, p := range list.list {
		app, source := p.at(0).word(), p.at(1)
		n := node{name: app, line: p.line, silent: true}
		switch source.at(0).word() {
		case "pkg":
			n.name, n.version = source.at(1).word(), source.at(2).word()
			n.hashes = hashOfHex("sha256", strings.ToLower(sums.member(app).word()))
		default: // git, hg, git_subdir
			n.kind, n.address = addressed, source.at(1).word()+"#"+source.at(2).at(1).word()
		}
		if _, fresh := x.put(n); !fresh {
			return nil, newTermsAt(p.line).fault(wording.Cut(app, 120) + " stands twice")
		}
		if p.at(2).word() == "0" {
			root.asks = append(root.asks, ask{name: n.name})
		}
	}
	x.locked.add(root)
	return x.locked, nil
}

// rebarTerms takes the terms of a file, each of which ends with a dot.
func rebarTerms(content []byte) (all []term, err error) {
	t := newTerms(content)
	for t.peek() != 0 {
		v, err := t.value()
		if err != nil {
			return nil, err
		}
		if t.peek() != '.' {
			return nil, t.fault("the file ends early")
		}
		t.at++
		if all = append(all, v); len(all) > 2 {
			return nil, t.fault("more terms than a lockfile of rebar3 has")
		}
	}
	if len(all) == 0 {
		return nil, errors.New("it is empty")
	}
	return all, nil
}
