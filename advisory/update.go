package advisory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"verdict"
)

// DefaultBase is where OSV publishes one archive per ecosystem, as <ecosystem>/all.zip.
const DefaultBase = "https://osv-vulnerabilities.storage.googleapis.com"

// FetchedPrefix begins the names of the sources that Update fetches.
const FetchedPrefix = "osv/"

// UpdateOptions say what to fetch.
type UpdateOptions struct {
	Index string // the index file
	// Ecosystems to fetch, in OSV's words. Empty: those that were fetched before.
	Ecosystems []string
	Base       string       // zero: DefaultBase
	Client     *http.Client // nil: one with the system's proxies
	Force      bool         // takes an archive that lost more than 10 % of its records
	// Pause before a second attempt, which doubles (zero: 2 s), and the time without a
	// byte after which an attempt ends (zero: 60 s).
	Pause, Stall time.Duration
	Progress     func(Progress) // may be nil
	Now          func() time.Time
}

// Updated says what became of one ecosystem.
type Updated struct {
	Ecosystem   string
	NotModified bool  // the publisher has nothing new: what we have was confirmed
	Resumed     bool  // an earlier download was continued
	Bytes       int64 // that travelled
	Source      Source
	Skipped     []Skipped
}

// Update fetches OSV's archives and replaces what the index holds of them, one
// ecosystem after the other. An archive that did not change is confirmed instead. When
// one ecosystem fails the others are still fetched; the error names those that failed,
// and what was known about them stays.
func Update(ctx context.Context, o UpdateOptions) ([]Updated, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Base == "" {
		o.Base = DefaultBase
	}
	base, err := checkBase(o.Base)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(o.Index), 0o755); err != nil {
		return nil, noRoom(o.Index, err)
	}
	unlock, err := lockFile(ctx, o.Index+".update.lock") // one download at a time
	if err != nil {
		return nil, err
	}
	defer unlock()
	sources, err := sourcesOf(o.Index)
	if err != nil {
		return nil, err
	}
	if len(o.Ecosystems) == 0 {
		for _, s := range sources {
			if e, ok := strings.CutPrefix(s.Name, FetchedPrefix); ok {
				o.Ecosystems = append(o.Ecosystems, e)
			}
		}
	}
	if len(o.Ecosystems) == 0 {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: "no ecosystem was ever fetched, and none was named",
			Remedy: "name those of your code, for example: verdict advisories update Go npm",
		}
	}
	var out []Updated
	var failed error
	for _, e := range o.Ecosystems {
		u, err := o.one(ctx, base, e, sources)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("update %.64q: %w", e, err))
			continue
		}
		out = append(out, u)
	}
	return out, failed
}

func sourcesOf(index string) ([]Source, error) {
	if _, err := os.Lstat(index); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	x, err := Open(index)
	if err != nil {
		return nil, err
	}
	return x.Sources(), x.Close()
}

// one fetches one ecosystem.
func (o UpdateOptions) one(ctx context.Context, base *url.URL, ecosystem string, sources []Source) (Updated, error) {
	u := Updated{Ecosystem: ecosystem}
	if ecosystem == "" || !printable(ecosystem, maxID) || strings.ContainsAny(ecosystem, "/\\%?#") || strings.HasPrefix(ecosystem, ".") {
		return u, &verdict.Error{Code: verdict.CodeUsage, What: fmt.Sprintf("%.64q is no ecosystem", ecosystem), Remedy: "write it as OSV does: Go, npm, PyPI, crates.io, Maven …"}
	}
	name, address := FetchedPrefix+ecosystem, base.JoinPath(ecosystem, "all.zip").String()
	var old Source
	if i := slices.IndexFunc(sources, func(s Source) bool { return s.Name == name && s.Origin == address }); i >= 0 {
		old = sources[i]
	}
	part := o.Index + "." + strings.ReplaceAll(ecosystem, " ", "_") + ".part"
	f := fetcher{client: newClient(o.Client), pause: orElse(o.Pause, 2*time.Second), stall: orElse(o.Stall, stallAfter), now: o.Now}
	f.progress = func(done, total int64) {
		if o.Progress != nil {
			o.Progress(Progress{Source: name, Step: "download", Done: done, Total: total})
		}
	}
	got, err := f.get(ctx, address, part, old)
	u.NotModified, u.Resumed, u.Bytes = got.notModified, got.resumed, got.bytes
	if err != nil {
		return u, err
	}
	if got.notModified {
		u.Source, err = confirm(ctx, o.Index, old, got.at)
		return u, err
	}
	s := Source{
		Name: name, Family: FamilyOSV, Origin: address, Imported: got.at, Confirmed: got.at, Covers: []string{ecosystem},
		ETag: got.etag, LastModified: got.lastModified,
	}
	done, err := o.load(ctx, part, s)
	if err != nil {
		return u, errors.Join(err, dropPart(part)) // what is no archive must not be continued
	}
	u.Source, u.Skipped = done.Source, done.Skipped
	return u, dropPart(part)
}

// load puts a complete download into the index.
func (o UpdateOptions) load(ctx context.Context, part string, s Source) (*Imported, error) {
	in, err := openSource(part)
	if err != nil {
		return nil, err
	}
	defer in.close()
	if in.family != FamilyOSV {
		return nil, unusable(s.Origin, "it is no archive of advisories", nil)
	}
	l := &loader{name: s.Name, now: s.Imported, progress: o.Progress, about: s.Covers[0]}
	return l.take(ctx, in, o.Index, s, ImportOptions{Force: o.Force})
}

// confirm notes that the publisher still offers what was imported as old.
func confirm(ctx context.Context, index string, old Source, at time.Time) (Source, error) {
	return apply(ctx, index, func(sources []Source) (change, error) {
		for _, s := range sources {
			if s.Name == old.Name && s.Digest == old.Digest && s.ETag == old.ETag {
				s.Confirmed = at
				return change{source: s}, nil
			}
		}
		return change{}, &verdict.Error{
			Code: verdict.CodeConflict, What: fmt.Sprintf("source %s was replaced while it was being confirmed", old.Name),
			Remedy: "run verdict advisories update again",
		}
	})
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
