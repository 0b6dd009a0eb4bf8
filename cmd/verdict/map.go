package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"verdict"
	"verdict/decisionmap"
	"verdict/policy"
	"verdict/report"
)

func mapCommand() command {
	return command{
		use: "map", short: "Check, compare, draw and release the decision map",
		sub: []command{mapLintCommand(), mapDiffCommand(), mapDrawCommand(), mapShowCommand(), mapModuleCommand(), mapReleaseCommand()},
	}
}

// maxMap bounds a map file, in bytes. It is what decisionmap.Load takes, so that a
// larger file is refused before it is read.
const maxMap = 1 << 20

// aboutMap is what the commands say about the map that they look at.
const aboutMap = "The map is the file that --map names, else verdict.yaml in this folder, else the built-in map. Where this machine's ledger holds a released organisation map, " +
	"a repository's file is read over that, as it is when a change is judged."

// mapText is the content of a map file.
type mapText struct {
	File string // as it was named; empty: the built-in map
	Data []byte
}

// name is the map's name for people.
func (t mapText) name() string {
	if t.File == "" {
		return "the built-in map"
	}
	return fileName(t.File)
}

// load reads the content.
func (t mapText) load() (*decisionmap.Map, error) {
	if t.File == "" {
		return decisionmap.Builtin(), nil
	}
	return decisionmap.Load(t.name(), t.Data)
}

// findMap reads the file that --map names, else the one in this folder, else it is the
// built-in map.
func (a *app) findMap() (mapText, error) {
	if a.hosted != nil {
		return a.hosted.sent, nil
	}
	file := a.config.Map
	if file == "" {
		if _, err := os.Lstat(decisionmap.FileName); errors.Is(err, fs.ErrNotExist) {
			return mapText{}, nil
		}
		file = decisionmap.FileName
	}
	return a.readMap(file)
}

func (a *app) readMap(file string) (mapText, error) {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return mapText{}, &verdict.Error{Code: verdict.CodeInvalid, What: file + " is a folder", Remedy: "name the map file in it: " + filepath.Join(file, decisionmap.FileName)}
	}
	data, err := a.readInput(file, "the decision map", maxMap)
	return mapText{file, data}, err
}

// sayBuiltin says aloud that there was no file.
func (a *app) sayBuiltin(t mapText) {
	if t.File == "" {
		fmt.Fprintf(a.stderr, "verdict: there is no %s in this folder: this is about the built-in map\n", decisionmap.FileName)
	}
}

// underRelease reads a repository's map over the organisation map that this machine's
// ledger holds. released is that map, nil where there is none. An organisation's file
// stays as it is: it is what would be released next.
func (a *app) underRelease(ctx context.Context, t mapText, m *decisionmap.Map) (out *decisionmap.Map, released *releasedMap, err error) {
	asOf := a.config.At.Set
	switch missing := a.mustExist(); {
	case asOf && m.IsOrganisation():
		return nil, nil, usage("", fmt.Sprintf("--at asks for a released map, and %s is an organisation's own", t.name()), "leave --at out, or name no file to see the map that was in force")
	case asOf && missing != nil:
		return nil, nil, missing
	case missing != nil || m.IsOrganisation():
		return m, nil, nil
	}
	w, err := a.openExisting(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer w.close()
	at, err := w.position(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, err := w.inForce(ctx, at)
	if err != nil || r == nil {
		return m, nil, err
	}
	own := m
	if t.File == "" {
		own = nil
	}
	out, err = decisionmap.Resolve(r.Map, own)
	return out, r, err
}

// seenMap is the map that a command looks at, for its document.
type seenMap struct {
	File         string         `json:"file"` // empty: the built-in map
	Organization string         `json:"organization"`
	Digest       verdict.Digest `json:"digest"`   // of the effective map; empty when it cannot be read
	Released     int64          `json:"released"` // entry of the organisation map that it was read over; -1: none
}

func seen(t mapText, m *decisionmap.Map, released *releasedMap) seenMap {
	return seenMap{File: t.File, Organization: m.Organization, Digest: m.Digest(), Released: released.index()}
}

// inWords names the map for people.
func (s seenMap) inWords() string {
	out := "the built-in map"
	if s.File != "" {
		out = report.Neutral(fileName(s.File))
	}
	if s.Released >= 0 {
		out += fmt.Sprintf(", over the organisation map released in entry %d", s.Released)
	}
	return out
}

// heading is the map's line of text.
func (s seenMap) heading() string {
	if s.Digest == "" {
		return s.inWords()
	}
	return s.inWords() + ", digest " + s.Digest.Short()
}

// effectiveMap is the map with everything that a file or a release changes in it.
func (a *app) effectiveMap(ctx context.Context) (*decisionmap.Map, error) {
	t, err := a.findMap()
	if err != nil {
		return nil, err
	}
	a.sayBuiltin(t)
	m, err := t.load()
	if err != nil {
		return nil, err
	}
	m, released, err := a.underRelease(ctx, t, m)
	if err == nil && released != nil {
		fmt.Fprintf(a.stderr, "verdict: this is read over the organisation map that was released in entry %d\n", released.index())
	}
	return m, err
}

func mapShowCommand() command {
	return command{
		use: "show", short: "Write the whole map, with where each value is from",
		long:    aboutMap + " Behind each value stands the file and line that says it, or default. The YAML can be used as a map and has the same digest.",
		example: "verdict map show\nverdict map show --map acme.yaml -o json",
		formats: []string{"yaml", "json"}, reads: true,
		setup: runs(showMap),
	}
}

func showMap(ctx context.Context, a *app, _ []string) error {
	m, err := a.effectiveMap(ctx)
	if err != nil {
		return err
	}
	return a.write(func(w io.Writer, format string, _ report.Style) error {
		if format == "text" { // nothing was asked for
			format = "yaml"
		}
		return decisionmap.Show(m, w, format)
	})
}

func mapDrawCommand() command {
	return command{
		use: "draw", short: "Draw the map: six lanes, the points with their questions, the evidence between them",
		long: aboutMap + " The picture is made from what decides, so it cannot show another architecture. " +
			"The leadership view shows trust, exposure and the flow of evidence, without the names of tools, clouds and clusters.",
		example: "verdict map draw\nverdict map draw -o svg=map.svg\nverdict map draw --view leadership -o svg=board.svg",
		formats: []string{decisionmap.FormatText, decisionmap.FormatSVG}, reads: true,
		setup: func(f *flags) runner {
			view := decisionmap.ViewEngineer
			f.choice(&view, "view", "for whom it is drawn", decisionmap.ViewEngineer, decisionmap.ViewLeadership)
			return func(ctx context.Context, a *app, _ []string) error { return a.drawMap(ctx, view) }
		},
	}
}

func (a *app) drawMap(ctx context.Context, view string) error {
	m, err := a.effectiveMap(ctx)
	if err != nil {
		return err
	}
	rules, err := policy.Builtin()
	if err != nil {
		return err
	}
	o := decisionmap.DrawOptions{View: view, NotBuilt: decisionmap.NotBuilt(m, rules)}
	return a.write(func(w io.Writer, format string, _ report.Style) error {
		o.Format = format
		return decisionmap.Draw(m, w, o)
	})
}
