package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"verdict/advisory"
)

func advisoriesImportCommand() command {
	return command{
		use: "import [SOURCE…]", short: "Take advisories from files",
		long: "SOURCE is a folder, zip or tar.gz of OSV records in JSON or YAML; --kev names CISA's catalogue of known exploited vulnerabilities, --epss FIRST's scores. No ledger is needed, and nothing goes over the network.\n\n" +
			"A source is kept under its name, and importing that name again replaces it. Its age counts from --as-of, else from the file's own time or its newest record: an old archive does not become fresh by being imported. " +
			"What is new is matched with the bills of materials in the ledger, where there is one: artifacts get a new report, and what runs a finding. What is damaged, holds nothing, lost over 10 % of its records or has over 2 % unreadable ones is refused, ends with 1, and changes nothing. The others are still imported.\n\n" + atServerHelp,
		example: "verdict advisories import go-vulndb.zip --kev known_exploited_vulnerabilities.json\nverdict advisories import all.zip --name npm --covers npm --as-of 2026-11-20T09:00:00Z",
		args:    atLeast(0), formats: textOrJSON,
		setup: func(f *flags) runner {
			x := &importing{}
			f.text(&x.kev, "kev", "FILE", "catalogue of known exploited vulnerabilities (JSON)")
			f.text(&x.epss, "epss", "FILE", "probabilities of exploitation (CSV, may be gzipped)")
			f.text(&x.name, "name", "NAME", "name to keep a single SOURCE under; default: the file's, without its endings")
			f.list(&x.covers, "covers", "ECOSYSTEM", "ecosystem that a single SOURCE is complete for; default: those that it has records about alone; repeatable")
			f.text(&x.asOf, "as-of", "TIME", "when the data was taken from its publisher")
			f.toggle(&x.force, "force", "take a source that lost over 10 % of its records")
			atServerFlag(f, &x.there)
			return x.run
		},
	}
}

// importing is one call of advisories import.
type importing struct {
	kev, epss, name, asOf string
	covers                []string
	force                 bool
	there                 bool // at the server
}

const seeImport = "verdict advisories import --help"

func (x *importing) run(ctx context.Context, a *app, args []string) error {
	o, err := x.options(a, args)
	if err != nil {
		return err
	}
	files, err := x.plan(args)
	if err != nil {
		return err
	}
	there, err := a.advisoriesAt(ctx, x.there, seeImport)
	if err != nil {
		return err
	}
	if there != nil {
		return x.send(ctx, a, there, files)
	}
	index, err := a.indexFile(true)
	if err != nil {
		return err
	}
	if err := a.beforeChange(ctx, index); err != nil {
		return err
	}
	c := newAdvisoryChange(index)
	for _, t := range files {
		if t.err == nil {
			one := o
			one.Progress = a.stepper()
			if t.family != advisory.FamilyOSV {
				one.Name, one.Covers = "", nil
			}
			var done *advisory.Imported
			if done, t.err = advisory.Import(ctx, t.path, index, one); t.err == nil {
				c.add(done.Source, "imported", done.Skipped)
				continue
			}
		}
		c.fail(t.path, t.err)
	}
	return a.concludeAdvisories(ctx, c)
}

func (x *importing) options(a *app, args []string) (advisory.ImportOptions, error) {
	o := advisory.ImportOptions{Name: x.name, Covers: x.covers, Force: x.force, Now: a.now}
	switch {
	case len(args) == 0 && x.kev == "" && x.epss == "":
		return o, usage(seeImport, "verdict advisories import has nothing to import", "name a folder, zip or tar.gz, or --kev FILE, or --epss FILE")
	case len(args) != 1 && (x.name != "" || len(x.covers) > 0):
		return o, usage(seeImport, fmt.Sprintf("--name and --covers are about one SOURCE, and %d are given", len(args)), "import the sources one by one")
	case x.asOf == "":
		return o, nil
	}
	t, err := time.Parse(time.RFC3339, x.asOf)
	if err != nil {
		return o, usage(seeImport, fmt.Sprintf("--as-of is %q, which is not a full time", x.asOf), "write a time with its zone, such as 2026-11-20T09:00:00Z")
	}
	if t.After(a.now()) {
		return o, usage(seeImport, fmt.Sprintf("--as-of is %s, which lies ahead", x.asOf), "give the time at which the data was taken from its publisher")
	}
	o.AsOf = t
	return o, nil
}

// planned is one file to import, or why it cannot be.
type planned struct {
	path   string
	family advisory.Family
	err    error
}

// plan looks at every file before the first is imported: a flag that names the wrong
// file, and two files of which the second would replace the first, are mistakes of the
// call.
func (x *importing) plan(args []string) ([]planned, error) {
	var out []planned
	names := map[string]string{}
	look := func(path, flag string, want advisory.Family) error {
		p := planned{path: path}
		if info, err := os.Stat(path); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
			p.err = notRegular(path, info.Mode())
		}
		var name string
		if p.err == nil {
			name, p.family, p.err = advisory.Recognise(path)
		}
		if out = append(out, p); p.err != nil {
			return nil
		}
		if want != "" && p.family != want {
			return usage(seeImport, fmt.Sprintf("%s %s: the file holds %s", flag, path, familyWords[p.family]), fmt.Sprintf("%s is for %s; name this file as a SOURCE", flag, familyWords[want]))
		}
		if p.family == advisory.FamilyOSV && x.name != "" {
			name = x.name
		}
		if other, twice := names[name]; twice {
			return usage(seeImport, fmt.Sprintf("%s and %s would both be kept as %q, and the second would replace the first", other, path, name), "import them one by one, each with a --name of its own")
		}
		names[name] = path
		return nil
	}
	for _, path := range args {
		if err := look(path, "", ""); err != nil {
			return nil, err
		}
	}
	for _, c := range []struct {
		path, flag string
		family     advisory.Family
	}{{x.kev, "--kev", advisory.FamilyKEV}, {x.epss, "--epss", advisory.FamilyEPSS}} {
		if c.path == "" {
			continue
		}
		if err := look(c.path, c.flag, c.family); err != nil {
			return nil, err
		}
	}
	return out, nil
}

var familyWords = map[advisory.Family]string{
	advisory.FamilyOSV: "advisories", advisory.FamilyKEV: "known exploited vulnerabilities", advisory.FamilyEPSS: "probabilities of exploitation",
}
