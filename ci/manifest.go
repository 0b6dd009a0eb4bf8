package ci

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/wording"
	"verdict/git"
)

// Manifest is what a walk read: the subject of an uncommitted tree.
type Manifest struct {
	Entries []Entry // sorted by path
	Skipped []Skip  // sorted by path
	Read    int64   // regular files whose content was offered to readers
	Bytes   int64   // of those
}

// Entry is one file or symbolic link of a manifest.
type Entry struct {
	Path string // relative to the folder that was walked; raw bytes
	Mode string // 100644, 100755 or 120000, as git writes them
	Size int64
	// SHA256 covers the content; for a link, where it points.
	SHA256 [sha256.Size]byte
	// Blob is the hex id that git gives this content; empty outside of a repository. A
	// file that a checkout turned from what is stored (line ends, large file storage)
	// has the id of what is stored.
	Blob string
}

// Skip is something that the walk did not offer to its readers, and why.
type Skip struct {
	File   File // Size is 0 when it is not known
	Reason string
	// Blocks is true when a check that wanted the file is incomplete without it.
	Blocks bool
	// Folder is true for a folder: what lies in it is not known, so every check is told.
	Folder bool
	// Binary is true when the name and the start of the file show that it holds no text.
	Binary bool
	// Gone is true when there was nothing there any more.
	Gone bool
	// Index is the object id that git's index holds for a path that was not tried: a
	// submodule, or a file that a sparse checkout leaves out.
	Index string
}

// Digest identifies what was read: SHA-256 over mode, size, content digest and path of
// every entry, in order of the paths' bytes. No path can end early or run into the next
// entry: a path holds no NUL, and each entry ends with one.
func (m *Manifest) Digest() verdict.Digest {
	h := sha256.New()
	io.WriteString(h, "verdict manifest v1\n")
	for _, e := range m.Entries {
		fmt.Fprintf(h, "%s %d %x %s\x00", e.Mode, e.Size, e.SHA256, e.Path)
	}
	// What was seen and not read is part of what this tree is.
	for _, s := range m.Skipped {
		fmt.Fprintf(h, "unread %d %s\x00", s.File.Size, s.File.Path)
	}
	return verdict.NewDigest("sha256", hex.EncodeToString(h.Sum(nil)))
}

// notChecked tells a check's report what the walk kept from it. Text reports whether
// the check reads text only, so that a binary file is no loss to it, nor a link: what it
// points at is searched where it lies. A check that looks for files by their names lacks
// the one that the link stands for.
func (m *Manifest) notChecked(r Reader, text bool) []verdict.NotChecked {
	out := []verdict.NotChecked{}
	for _, s := range m.Skipped {
		if s.Folder || r.Wants(s.File) {
			out = append(out, verdict.NotChecked{Path: wording.Shown(s.File.Path), Reason: s.Reason, Blocks: s.Blocks && !(text && s.Binary)})
		}
	}
	links := 0
	for _, e := range m.Entries {
		switch {
		case e.Mode != git.ModeLink || !r.Wants(File{Path: e.Path, Size: e.Size}):
		case text:
			links++
		default:
			out = append(out, verdict.NotChecked{Path: wording.Shown(e.Path), Reason: "it is a symbolic link, which is not followed", Blocks: !inventory.TestData(e.Path) && !inventory.Within(e.Path, "node_modules")})
		}
	}
	if links > 0 {
		out = append(out, verdict.NotChecked{Reason: fmt.Sprintf("symbolic links, which are not followed: %d", links)})
	}
	return out
}
