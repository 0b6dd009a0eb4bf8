package layers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/sbom"
)

// document is what was found, as a bill of materials. It never calls itself complete:
// files that no package manager knows leave no trace in any of its databases.
func (x *reading) document(i Image) sbom.Document {
	d := sbom.Document{Subject: i.Subject, Tool: verdict.Tool{Name: "verdict"}, Inventory: sbom.Unknown}
	distro := sbom.Distribution{ID: x.release.id, Version: x.release.version}
	// The map of a layer has no order, and the same image must give the same bytes.
	slices.SortStableFunc(x.packages, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.name, b.name), cmp.Compare(a.version, b.version), cmp.Compare(a.arch, b.arch))
	})
	system, foreign := 0, 0
	for _, p := range x.packages {
		c, ofSystem, err := p.component(distro)
		if err != nil {
			x.open(p.path, fmt.Sprintf("the package %.100q has no package URL and was left out", p.name), true)
			continue
		}
		if ofSystem {
			system++
			if c.Ecosystem == "" {
				foreign++
			}
		}
		out := sbom.Component{Component: c, Occurrences: []sbom.Occurrence{{Location: clip(p.path)}}}
		if p.licence != "" {
			out.Licenses = []string{p.licence}
		}
		d.Components = append(d.Components, out)
	}
	switch {
	case len(x.packages) == 0:
		x.open("", "no database of packages and no manifest of a language was found: what is in the image is not known", false)
	case system > 0 && x.release.id == "":
		x.open("", "no os-release file says of which distribution its packages are: they can be matched with no advisories", true)
	case system > 0 && distro.Ecosystem() == "":
		x.open("", fmt.Sprintf("no advisories are known for packages of %s: whether they are vulnerable is not known", strings.TrimSpace(distro.ID+" "+distro.Version)), false)
	case foreign > 0:
		x.open("", fmt.Sprintf("%d of its packages are none of %s %s itself: no advisories are known for them, and whether they are vulnerable is not known", foreign, distro.ID, distro.Version), false)
	}
	x.open("", "files that no package manager brought in are in no list", false)
	if x.more > 0 {
		x.gaps = append(x.gaps, verdict.NotChecked{Reason: fmt.Sprintf("and %d more", x.more), Blocks: true})
	}
	if slices.ContainsFunc(x.gaps, func(n verdict.NotChecked) bool { return n.Blocks }) {
		d.Inventory = sbom.Incomplete
	}
	// What lacks stands in front: a document tells the first ones.
	slices.SortStableFunc(x.gaps, func(a, b verdict.NotChecked) int {
		return cmp.Or(-cmp.Compare(weight(a), weight(b)), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
	d.Open = x.gaps
	return d
}

func weight(n verdict.NotChecked) int {
	if n.Blocks {
		return 1
	}
	return 0
}

// component names one package, and says whether it is one of the distribution.
func (p found) component(distro sbom.Distribution) (c verdict.Component, system bool, err error) {
	switch p.eco {
	case "apk", "deb", "rpm":
		c = verdict.Component{Name: p.name, Version: p.version}
		c.PURL, err = distro.PURL(sbom.SystemPackage{Type: p.eco, Name: p.name, Version: p.version, Arch: p.arch, Source: p.source, SourceVersion: p.sourceVersion, Vendor: p.vendor})
		if err != nil {
			return c, true, err
		}
		u, err := sbom.ParsePURL(c.PURL)
		if known, ok := u.Component(); ok { // by what others will read of it
			c.Ecosystem = known.Ecosystem
		}
		return c, true, err
	}
	c, err = sbom.NewComponent(p.eco, p.name, p.version)
	return c, false, err
}
