// Package layers reads which packages the layers of an image hold: the databases of apk,
// dpkg and rpm, and what languages leave beside their packages. It follows the layers as a
// container engine lays them over each other, whiteouts included.
//
// A layer is a stranger's archive. Nothing of it is ever written to a disk: names are
// compared, never opened, and links are never followed. Everything is bounded, and what
// was not read is told: a list that lacks something never looks whole.
package layers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"verdict"
	"verdict/artifact"
	"verdict/sbom"
)

// Limits of one image. The zero value stands for the defaults.
type Limits struct {
	Bytes   int64 // unpacked, over all layers; 0: 16 GiB
	Entries int   // over all layers; 0: 1,000,000
	File    int64 // of one file that is read; 0: 512 MiB
	// Ratio is how many times larger than its packed form a layer may be, from 64 MiB on.
	// Real ones end below 20; 0: 150.
	Ratio int64
}

func (l Limits) orDefault() Limits {
	if l.Bytes == 0 {
		l.Bytes = 16 << 30
	}
	if l.Entries == 0 {
		l.Entries = 1_000_000
	}
	if l.File == 0 {
		l.File = 512 << 20
	}
	if l.Ratio == 0 {
		l.Ratio = 150
	}
	return l
}

// Image is what is read: the layers of one manifest, the lowest first.
type Image struct {
	Subject verdict.Subject
	Layers  []artifact.Descriptor
	Store   artifact.Store
}

// Read lists the packages of an image. What a layer holds that cannot be read makes the
// list incomplete, and the document says what; only what says nothing of the image (the
// context's end, a store that does not answer) is an error.
func Read(ctx context.Context, i Image, l Limits) (sbom.Document, error) {
	x := &reading{limits: l.orDefault(), hidden: map[string]bool{}, opaque: map[string]bool{}, seen: map[string]bool{}}
	x.left = x.limits.Bytes
	if len(i.Layers) == 0 {
		x.open("", "the image has no layers", true)
	}
	for n, d := range slices.Backward(i.Layers) { // the upper ones say what counts of the lower ones
		x.layer = &layer{name: fmt.Sprintf("layer %d (%s)", n+1, d.Digest.Short()), found: map[string][]found{}, hidden: map[string]bool{}, opaque: map[string]bool{}, links: map[string]string{}}
		if err := x.read(ctx, i.Store, d); err != nil {
			if ctx.Err() != nil || unanswered(err) {
				return sbom.Document{}, fmt.Errorf("%s: %w", x.layer.name, err)
			}
			x.open(x.layer.name, "it was not read to its end: "+err.Error(), true)
		}
		x.close()
	}
	return x.document(i), nil
}

// unanswered reports whether an error is the store's, which says nothing of the image.
func unanswered(err error) bool {
	var e *verdict.Error
	return errors.As(err, &e) && (e.Code == verdict.CodeUnavailable || e.Code == verdict.CodeRefused || e.Code == verdict.CodeForbidden || e.Code == verdict.CodeNotFound)
}

// reading is one image being read, from its top layer down.
type reading struct {
	limits  Limits
	left    int64 // bytes that may still be unpacked
	entries int
	layer   *layer

	// What upper layers hide of lower ones: paths with all below them, and folders whose
	// content is hidden.
	hidden, opaque map[string]bool
	seen           map[string]bool // files of upper layers, which replace the lower ones

	release  release
	packages []found
	gaps     []verdict.NotChecked
	more     int // gaps that are not listed
}

// layer is what one layer says; it takes effect below it.
type layer struct {
	name           string
	found          map[string][]found // by path: a later entry of the same path replaces it
	hidden, opaque map[string]bool
	files          []string
	links          map[string]string // hard links to files of the same layer
}

// found is one package, and where it was found.
type found struct {
	eco  string // "apk", "deb", "rpm": of the distribution; else the ecosystem in OSV's words
	name string
	// version has the epoch of an rpm in front, as rpm compares it.
	version, arch         string
	source, sourceVersion string // the package that it was built from, where that has another name
	vendor                string // of an rpm: whose package it is, as sbom.Vendor says it
	licence               string
	path                  string
	release               *release // an os-release file, which is no package
}

// maxGaps bounds how many gaps are listed.
const maxGaps = 500

// open tells a gap. Blocks: something may be missing from the list because of it.
func (x *reading) open(path, reason string, blocks bool) {
	if len(x.gaps) >= maxGaps {
		x.more++
		return
	}
	if len(reason) > 300 {
		reason = strings.ToValidUTF8(reason[:300], "") + "…"
	}
	x.gaps = append(x.gaps, verdict.NotChecked{Path: clip(path), Reason: reason, Blocks: blocks})
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > 400 {
		s = strings.ToValidUTF8(s[:400], "") + "…"
	}
	return s
}

// read walks over one layer.
func (x *reading) read(ctx context.Context, s artifact.Store, d artifact.Descriptor) error {
	if strings.Contains(d.MediaType, "encrypted") || strings.Contains(d.MediaType, "foreign") || strings.Contains(d.MediaType, "nondistributable") {
		return fmt.Errorf("layers of the type %.100q cannot be read", d.MediaType)
	}
	r, err := s.Blob(ctx, d)
	if err != nil {
		return err
	}
	defer r.Close()
	in, err := x.unpacked(&counted{r: r})
	if err != nil {
		return err
	}
	defer in.Close()
	if err := x.archive(ctx, in); err != nil {
		return err
	}
	// To the end of the blob, or its digest would not be verified.
	_, err = io.Copy(io.Discard, in)
	return err
}

// close lets what a layer says take effect for those below it.
func (x *reading) close() {
	for path, target := range x.layer.links {
		if f, ok := x.layer.found[target]; ok {
			x.layer.found[path] = f
		} else {
			x.open(path, "it is a link to "+target+", and links are not followed", true)
		}
	}
	for path, fs := range x.layer.found {
		for _, f := range fs {
			if f.release != nil {
				x.release.take(path, *f.release)
				continue
			}
			f.path = path
			x.packages = append(x.packages, f)
		}
	}
	for p := range x.layer.hidden {
		x.hidden[p] = true
	}
	for p := range x.layer.opaque {
		x.opaque[p] = true
	}
	for _, p := range x.layer.files {
		x.seen[p] = true
	}
}

// covered reports whether an upper layer hides or replaces a path.
func (x *reading) covered(path string) bool {
	if x.seen[path] || x.hidden[path] {
		return true
	}
	for dir := parent(path); ; dir = parent(dir) {
		// A file of an upper layer where this one has a folder hides all below it.
		if x.hidden[dir] || x.opaque[dir] || x.seen[dir] {
			return true
		}
		if dir == "" {
			return false
		}
	}
}

func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return ""
}
