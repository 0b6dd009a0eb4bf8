package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"verdict"
	"verdict/advisory"
	"verdict/decisionmap"
	"verdict/report"
)

func advisoriesCommand() command {
	return command{
		use: "advisories", short: "Fetch, import and list the data about known vulnerabilities",
		sub: []command{advisoriesUpdateCommand(), advisoriesImportCommand(), advisoriesListCommand(), advisoriesRemoveCommand()},
	}
}

// advisoryIndex is the path of the index, in a data directory that exists afterwards. It
// needs no ledger: data may come first.
func (a *app) advisoryIndex() (string, error) {
	folder, err := a.dataDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", &verdict.Error{Code: verdict.CodeUnavailable, What: "the data directory " + folder + " cannot be made", Remedy: "make room for it, or name another with --data DIR", Err: err}
	}
	return filepath.Join(folder, advisoryFile), nil
}

func (a *app) advisoryProgress() func(advisory.Progress) {
	step := a.progress.phase("reading advisories")
	return func(p advisory.Progress) {
		unit := "records"
		if p.Step == "download" {
			unit = "bytes"
		}
		if p.Total > 0 {
			step.say("%s: %s %d of %d %s", p.Source, p.Step, p.Done, p.Total, unit)
		} else {
			step.say("%s: %s %d %s", p.Source, p.Step, p.Done, unit)
		}
	}
}

func advisoriesImportCommand() command {
	return command{
		use: "import SOURCE…", short: "Take in advisories from files, without a network",
		long: "SOURCE is a folder, zip or tar.gz of OSV records in JSON or YAML, a file of CISA's catalogue of known exploited vulnerabilities (JSON), or of FIRST's EPSS (CSV, also gzipped). " +
			"A source that was imported before under the same name is replaced; others stay. Old data does not become fresh by being imported: its age counts from --as-of, else from the file's own time.",
		example: "verdict advisories import osv-npm.zip\nverdict advisories import ./records --covers npm --as-of 2026-11-20T00:00:00Z\nverdict advisories import known_exploited_vulnerabilities.json epss.csv.gz",
		args:    atLeast(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			var o advisory.ImportOptions
			var asOf string
			f.text(&o.Name, "name", "NAME", "name of the source, to replace it later; default: the file's")
			f.list(&o.Covers, "covers", "ECOSYSTEM", "ecosystem that the source is complete for, such as npm; repeatable; default: what its records say")
			f.text(&asOf, "as-of", "TIME", "when the data was taken from its publisher, such as 2026-11-20T00:00:00Z")
			f.toggle(&o.Force, "force", "take a source that has far fewer records than last time")
			return func(ctx context.Context, a *app, args []string) error {
				if asOf != "" {
					var err error
					if o.AsOf, err = time.Parse(time.RFC3339, asOf); err != nil {
						return usage("verdict advisories import --help", "--as-of is not a full time", "write it with its zone, such as 2026-11-20T00:00:00Z")
					}
				}
				if o.Name != "" && len(args) > 1 {
					return usage("verdict advisories import --help", "--name is for one source, and there are several", "import them one by one, or leave --name out")
				}
				return importAdvisories(ctx, a, o, args)
			}
		},
	}
}

func importAdvisories(ctx context.Context, a *app, o advisory.ImportOptions, sources []string) error {
	index, err := a.advisoryIndex()
	if err != nil {
		return err
	}
	o.Now, o.Progress = a.now, a.advisoryProgress()
	var done []*advisory.Imported
	for _, source := range sources {
		got, err := advisory.Import(ctx, source, index, o)
		if err != nil {
			return err
		}
		done = append(done, got)
	}
	a.progress.stop()
	return a.emit(map[string]any{"schema": "verdict.advisories/v1", "imported": done}, func(s report.Style) string {
		var b strings.Builder
		for _, i := range done {
			fmt.Fprintf(&b, "%s: %s\n", report.Neutral(i.Source.Name), taken(i.Source))
			b.WriteString(skippedText(i.Skipped, i.Source.Counts.Unreadable, s))
		}
		return b.String()
	})
}

// taken says in one line what a source holds.
func taken(s advisory.Source) string {
	out := fmt.Sprintf("%d records", s.Counts.Records)
	if len(s.Covers) > 0 {
		out += " that cover " + strings.Join(s.Covers, ", ")
	} else if s.Family == advisory.FamilyOSV {
		out += "; no ecosystem is covered, so packages stay unknown (name it with --covers)"
	}
	if n := s.Counts.NotMatchable; n > 0 {
		out += fmt.Sprintf("; %d packages about which only git commits are said", n)
	}
	return out + "; as of " + s.Confirmed.UTC().Format("2006-01-02 15:04 UTC")
}

func skippedText(list []advisory.Skipped, all int64, s report.Style) string {
	var b strings.Builder
	for _, x := range list {
		b.WriteString(report.Wrap("  not read: "+report.Neutral(x.Name)+": "+report.Neutral(x.Reason), s.Width, "    ") + "\n")
	}
	if rest := all - int64(len(list)); rest > 0 {
		fmt.Fprintf(&b, "  not read: %d more\n", rest)
	}
	return b.String()
}

func advisoriesUpdateCommand() command {
	return command{
		use: "update [ECOSYSTEM…]", short: "Fetch OSV's published archives, as far as they changed",
		long: "ECOSYSTEM is OSV's word: Go, npm, PyPI, crates.io, Maven … Without one, those that were fetched before. " +
			"A download that broke off is continued; an archive that did not change is confirmed and counts as fresh again.",
		example: "verdict advisories update Go npm\nverdict advisories update",
		args:    atLeast(0), formats: textOrJSON,
		setup: func(f *flags) runner {
			var o advisory.UpdateOptions
			f.text(&o.Base, "url", "URL", "where the archives are; default: OSV's own place")
			f.toggle(&o.Force, "force", "take an archive that has far fewer records than last time")
			return func(ctx context.Context, a *app, args []string) error {
				if a.config.Offline {
					return usage("verdict advisories update --help", "--offline forbids the connection that an update is", "leave --offline out, or import an archive with verdict advisories import FILE")
				}
				var err error
				if o.Index, err = a.advisoryIndex(); err != nil {
					return err
				}
				o.Ecosystems, o.Now, o.Progress = args, a.now, a.advisoryProgress()
				done, failed := advisory.Update(ctx, o)
				a.progress.stop()
				err = a.emit(map[string]any{"schema": "verdict.advisories/v1", "updated": done}, func(s report.Style) string { return updatedText(done, s) })
				if failed != nil {
					return failed
				}
				return err
			}
		},
	}
}

func updatedText(done []advisory.Updated, s report.Style) string {
	var b strings.Builder
	for _, u := range done {
		how := fmt.Sprintf("%d bytes fetched", u.Bytes)
		if u.NotModified {
			how = "nothing new"
		} else if u.Resumed {
			how += ", an earlier download continued"
		}
		fmt.Fprintf(&b, "%s: %s; %s\n", report.Neutral(u.Ecosystem), how, taken(u.Source))
		b.WriteString(skippedText(u.Skipped, u.Source.Counts.Unreadable, s))
	}
	return b.String()
}

func advisoriesListCommand() command {
	return command{
		use: "list", short: "List the sources, what they cover, and whether they are fresh",
		formats: textOrJSON,
		setup: runs(func(_ context.Context, a *app, _ []string) error {
			path, err := a.advisoryIndex()
			if err != nil {
				return err
			}
			index, err := advisory.Open(path)
			if err != nil {
				return err
			}
			defer index.Close()
			if err := index.Verify(); err != nil {
				return err
			}
			maxAge := time.Duration(decisionmap.Builtin().Sources["advisories"].MaxAge)
			db, sources := index.Database(), index.Sources()
			return a.emit(map[string]any{"schema": "verdict.advisories/v1", "database": db, "sources": sources, "exploited_known": index.KnowsExploited()}, func(s report.Style) string {
				rows := [][]string{{"source", "records", "covers", "as of"}}
				for _, x := range sources {
					age := a.now().Sub(x.Confirmed)
					state := "fresh"
					if age > maxAge {
						state = "STALE"
					}
					covers := strings.Join(x.Covers, ", ")
					if x.Family != advisory.FamilyOSV {
						covers = string(x.Family)
					} else if covers == "" {
						covers = "nothing: its packages stay unknown"
					}
					rows = append(rows, []string{report.Neutral(x.Name), fmt.Sprint(x.Counts.Records), covers, x.Confirmed.UTC().Format(time.DateOnly) + ", " + state})
				}
				out := report.Table(rows, s.Width, "")
				if !index.KnowsExploited() {
					out += "Which vulnerabilities are exploited is not known: import CISA's catalogue with verdict advisories import FILE.\n"
				}
				return out
			})
		}),
	}
}

func advisoriesRemoveCommand() command {
	return command{
		use: "remove NAME", short: "Take a source out of the index",
		args: exactly(1),
		setup: runs(func(ctx context.Context, a *app, args []string) error {
			path, err := a.advisoryIndex()
			if err != nil {
				return err
			}
			if err := advisory.Forget(ctx, path, args[0]); err != nil {
				return err
			}
			return a.emit(nil, func(report.Style) string { return report.Neutral(args[0]) + " is removed.\n" })
		}),
	}
}
