package ci

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"verdict"
	"verdict/ci/wording"
	"verdict/git"
)

// File is one regular file that the walk met.
type File struct {
	Path string // relative to the folder that is walked, with slashes; raw bytes
	Size int64  // bytes
}

// Base is the last element of the path.
func (f File) Base() string { return path.Base(f.Path) }

// Reader looks at files of a walk. Both methods are called from several goroutines at
// once and for each file at most once.
type Reader interface {
	// Wants reports whether the reader needs the file, by its path and size alone.
	Wants(f File) bool
	// Read takes the whole content. It is valid during the call only and is shared with
	// other readers: it must not be changed or kept.
	Read(ctx context.Context, f File, content []byte)
}

// WalkOptions bound a walk. The zero value walks a plain folder with the defaults.
type WalkOptions struct {
	// Repo lists what git sees: tracked files, and untracked ones that are not ignored.
	// nil walks every file of the folder; what lies in a folder .git is told and not read.
	Repo *git.Repo
	// Only are the paths to read instead of all; nil: all. Paths that are not there are
	// told. They are taken as they stand: whoever names them read them from git.
	Only []string
	// Within are the files and folders to read, with what lies below them; empty: all.
	Within []string
	// Written are paths that the caller writes itself. Untracked, they are no part of what a
	// repository holds, and are not read; a plain folder holds them as any other file.
	Written []string
	// MaxFile is the size up to which a file is read and offered; 0: 64 MiB.
	MaxFile int64
	// MaxHash is the size up to which a file is at least hashed; 0: 1 GiB. A larger one is
	// not read, and a tree that holds one is never taken for its commit.
	MaxHash  int64
	MaxFiles int // 0: 1,000,000; more are an error
	MaxDepth int // folders above a file; 0: 128; a deeper one is not read
	// Workers is the number of files that are read at once; 0: one for each core.
	Workers int
	// Memory bounds the bytes of all contents held at once; 0: 256 MiB.
	Memory int64
	// Progress is told how many of the files are done; nil: nobody asks. Several goroutines
	// call it.
	Progress func(done, of int)
}

const maxPath = 4096 // bytes of a path; a longer one is not read

func (o WalkOptions) withDefaults() WalkOptions {
	set := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	set(&o.MaxFile, 64<<20)
	set(&o.MaxHash, 1<<30)
	set(&o.Memory, 256<<20)
	if o.MaxFiles == 0 {
		o.MaxFiles = 1_000_000
	}
	if o.MaxDepth == 0 {
		o.MaxDepth = 128
	}
	if o.Workers == 0 {
		o.Workers = cores()
	}
	o.MaxHash = max(o.MaxHash, o.MaxFile)
	o.Memory = max(o.Memory, o.MaxFile)
	return o
}

// Walk reads the tree below root once: each file is read once, hashed, and offered to
// every reader that wants it. Links are never followed, neither out of the tree nor
// inside it, and only regular files are read. What could not be read stands in the
// manifest. The error is for a walk that could not take place at all.
func Walk(ctx context.Context, root string, o WalkOptions, readers ...Reader) (*Manifest, error) {
	o = o.withDefaults()
	w := &walk{WalkOptions: o, readers: readers, budget: semaphore.NewWeighted(o.Memory)}
	top, err := openTop(root)
	if err != nil {
		return nil, err
	}
	defer top.close()
	w.top = top
	items, err := w.list(ctx)
	if err != nil {
		return nil, err
	}
	if len(items) > o.MaxFiles {
		return nil, tooMany(root, o.MaxFiles)
	}
	if err := w.readAll(ctx, items); err != nil {
		return nil, fmt.Errorf("walk %q: %w", root, err)
	}
	return w.manifest(), nil
}

func tooMany(root string, limit int) error {
	return &verdict.Error{
		Code: verdict.CodeLimit, What: fmt.Sprintf("%s holds more than %d files", wording.Shown(root), limit),
		Remedy: "give a folder below it, or let git ignore what is built or downloaded (.gitignore)",
	}
}

// walk is one walk under way.
type walk struct {
	WalkOptions
	top     *folder
	readers []Reader
	budget  *semaphore.Weighted // bytes of contents in memory

	mu      sync.Mutex // guards what follows
	entries []Entry
	skipped []Skip
	done    int
	offered int64
	bytes   int64
}

// item is one path to read, with what git knows of it.
type item struct {
	path string
	// mode and id are the index's; empty for what is not tracked.
	mode, id string
	// gone says why there is nothing to read; such an item is only told.
	gone   string
	blocks bool
	folder bool // it is a folder, of which no file is known
}

// batch is files of one folder, so that a folder is opened once for many of them.
const batch = 64

// readAll reads every item, at most Workers at once.
func (w *walk) readAll(ctx context.Context, items []item) error {
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.path, b.path) })
	items = slices.CompactFunc(items, func(a, b item) bool { return a.path == b.path })
	all := len(items)
	work := make(chan []item)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(work)
		for len(items) > 0 {
			n := sameFolder(items)
			select {
			case work <- items[:n]:
				items = items[n:]
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for range w.Workers {
		g.Go(func() error {
			var r fileReader
			for these := range work {
				if err := w.readBatch(ctx, &r, these); err != nil {
					return err
				}
				w.tell(len(these), all)
			}
			return nil
		})
	}
	return g.Wait()
}

// tell says how far the walk is.
func (w *walk) tell(more, of int) {
	if w.Progress == nil {
		return
	}
	w.mu.Lock()
	w.done += more
	done := w.done
	w.mu.Unlock()
	w.Progress(done, of)
}

// sameFolder counts the items at the front that lie in one folder, up to a batch.
func sameFolder(items []item) int {
	dir := path.Dir(items[0].path)
	n := 1
	for n < len(items) && n < batch && path.Dir(items[n].path) == dir {
		n++
	}
	return n
}

// readBatch opens the items' folder step by step, following no link, and reads them.
func (w *walk) readBatch(ctx context.Context, r *fileReader, items []item) error {
	readable := items[:0:0]
	for _, it := range items {
		if why := w.unfit(it); why != "" {
			w.skip(Skip{File: File{Path: it.path}, Reason: why, Blocks: it.gone == "" || it.blocks, Folder: it.folder, Index: it.id})
			continue
		}
		readable = append(readable, it)
	}
	if len(readable) == 0 {
		return nil
	}
	dir, err := w.top.walkTo(path.Dir(readable[0].path))
	if err != nil {
		for _, it := range readable {
			w.skip(unopened(it, err))
		}
		return nil
	}
	defer dir.close()
	for _, it := range readable {
		if err := w.readItem(ctx, r, dir, it); err != nil {
			return err
		}
	}
	return nil
}

// unfit says why a path is not even tried.
func (w *walk) unfit(it item) string {
	switch {
	case it.gone != "":
		return it.gone
	case len(it.path) > maxPath:
		return fmt.Sprintf("its path is longer than %d bytes", maxPath)
	case strings.Count(it.path, "/") > w.MaxDepth:
		return fmt.Sprintf("it lies more than %d folders deep", w.MaxDepth)
	}
	return ""
}

// readItem reads one file, records it and offers it.
func (w *walk) readItem(ctx context.Context, r *fileReader, dir *folder, it item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	got, err := w.read(ctx, r, dir, it)
	if err != nil {
		return err
	}
	defer got.done()
	if got.skip != nil {
		w.skip(*got.skip)
	}
	if got.entry != nil {
		w.record(*got.entry, got.content != nil)
	}
	if got.content == nil {
		return nil
	}
	f := File{Path: it.path, Size: got.entry.Size}
	for _, reader := range w.readers {
		if reader.Wants(f) {
			reader.Read(ctx, f, got.content)
		}
	}
	return ctx.Err() // a reader that was cut short must not look finished
}

func (w *walk) skip(s Skip) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skipped = append(w.skipped, s)
}

func (w *walk) record(e Entry, offered bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries = append(w.entries, e)
	if offered {
		w.offered++
		w.bytes += e.Size
	}
}

func (w *walk) manifest() *Manifest {
	slices.SortFunc(w.entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(w.skipped, func(a, b Skip) int { return strings.Compare(a.File.Path, b.File.Path) })
	return &Manifest{Entries: w.entries, Skipped: w.skipped, Read: w.offered, Bytes: w.bytes}
}
