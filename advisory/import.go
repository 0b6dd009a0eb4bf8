package advisory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"verdict"
)

// What a source may look like before it is refused.
const (
	maxUnreadableShare = 50 // one in so many records: 2 %
	minKeptShare       = 90 // percent of the records that the source had at its last import
	maxNamed           = 20 // skipped files that are named
)

// ImportOptions say how a source is taken in.
type ImportOptions struct {
	// Name under which the source can be replaced later. Empty: "kev", "epss", or the
	// file's name without its endings.
	Name string
	// Covers lists the ecosystems that the source is complete for. Empty: those that at
	// least one record is about alone. A record about packages of several ecosystems
	// says nothing about being complete.
	Covers []string
	// AsOf is when the data was taken from its publisher, as the operator knows it.
	// Zero: the time of the file, or the latest time in its records if that is newer,
	// and never later than now. An old archive does not become fresh by being imported.
	AsOf time.Time
	// Force takes a source that has far fewer records than at its last import.
	Force    bool
	Progress func(Progress) // may be nil; called from one goroutine at a time
	Now      func() time.Time
}

// Progress tells how far an import or update is.
type Progress struct {
	Source string // its name
	Step   string // "download", "read" or "write"
	Done   int64  // bytes for download, records for read
	Total  int64  // 0 when unknown
}

// Skipped is one file of a source that could not be used.
type Skipped struct {
	Name   string // in the archive or folder; untrusted text
	Reason string
}

// Imported says what an import did.
type Imported struct {
	Source  Source
	Skipped []Skipped // the first few of those that Source.Counts.Unreadable counts
}

// Import reads the folder, zip, tar.gz, record, KEV catalogue or EPSS file src into the
// index file dst, which it makes or replaces at once. Other sources in it stay. A source
// that is damaged, that holds nothing, of which more than 2 % cannot be read, or that
// lost more than 10 % of its records, is refused and changes nothing.
func Import(ctx context.Context, src, dst string, o ImportOptions) (*Imported, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	in, err := openSource(src)
	if err != nil {
		return nil, err
	}
	defer in.close()
	l := &loader{name: cmp.Or(o.Name, nameOf(src, in.family)), now: o.Now().UTC().Truncate(time.Microsecond), progress: o.Progress}
	s := Source{Name: l.name, Family: in.family, Origin: filepath.Base(src), Imported: l.now, Covers: o.Covers}
	return l.take(ctx, in, dst, s, o)
}

// take reads what in holds and puts it into the index as s, whose origin and times of
// the publisher are known.
func (l *loader) take(ctx context.Context, in *opened, dst string, s Source, o ImportOptions) (*Imported, error) {
	if !printable(s.Name, maxID) {
		return nil, &verdict.Error{Code: verdict.CodeUsage, What: fmt.Sprintf("%.64q cannot be the name of a source", s.Name), Remedy: "give a short name without control characters"}
	}
	data, err := l.read(ctx, in)
	if err != nil {
		return nil, sourceError(s.Origin, err)
	}
	if s.Digest, err = in.digest(); err != nil {
		return nil, sourceError(s.Origin, err)
	}
	s.Counts, s.Modified, s.PerEcosystem = l.tally, l.modified, l.postings
	if s.Covers = slices.Sorted(slices.Values(s.Covers)); len(s.Covers) == 0 {
		s.Covers = l.covers()
	}
	if s.Confirmed.IsZero() {
		s.Confirmed = l.asOf(in, o.AsOf)
	}
	if err := l.refuse(s); err != nil {
		return nil, err
	}
	l.tell("write", s.Counts.Records, s.Counts.Records)
	s, err = apply(ctx, dst, func(old []Source) (change, error) {
		return change{source: s, data: data}, refuseShrunk(s, old, o.Force)
	})
	if err != nil {
		return nil, err
	}
	return &Imported{s, l.skipped}, nil
}

func sourceError(origin string, err error) error {
	if e := new(verdict.Error); errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("read %s: %w", origin, err)
	}
	return unusable(origin, "it cannot be read to its end", err)
}

// asOf is the time from which staleness counts, if the publisher did not tell.
func (l *loader) asOf(in *opened, stated time.Time) time.Time {
	t := stated
	if t.IsZero() {
		t = in.modified
		if l.modified.After(t) {
			t = l.modified
		}
	}
	if t.After(l.now) {
		t = l.now
	}
	return t.UTC().Truncate(time.Microsecond)
}

// nameOf names a source after its file: go-vulndb-osv for go-vulndb-osv.tar.gz.
func nameOf(src string, f Family) string {
	if f != FamilyOSV {
		return string(f)
	}
	base := filepath.Base(filepath.Clean(src))
	if abs, err := filepath.Abs(src); err == nil {
		base = filepath.Base(abs)
	}
	for _, ending := range []string{".gz", ".tgz", ".tar", ".zip", ".json", ".yaml", ".yml"} {
		base = strings.TrimSuffix(base, ending)
	}
	return base
}

// refuse judges a source by itself.
func (l *loader) refuse(s Source) error {
	c := s.Counts
	if all := c.Records + c.Duplicates + c.NoPackage + c.Unreadable; c.Unreadable*maxUnreadableShare > all {
		err := &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("%s was refused: %d of %d records cannot be read", s.Origin, c.Unreadable, all),
			Remedy: "fetch it again; if its publisher changed the format, use a newer Verdict",
		}
		if len(l.skipped) > 0 {
			err.Err = fmt.Errorf("%.200q: %s", l.skipped[0].Name, l.skipped[0].Reason)
		}
		return err
	}
	if c.Records == 0 {
		return unusable(s.Origin, "it holds no advisories", nil)
	}
	if l.about != "" && !s.holds(l.about) {
		return unusable(s.Origin, "it holds no advisories about "+l.about, nil)
	}
	return s.refuseEmpty()
}

// refuseEmpty refuses data that somebody says is complete for an ecosystem of which it
// holds nothing: each package of it would look clean.
func (s Source) refuseEmpty() error {
	if s.Family != FamilyOSV {
		return nil
	}
	for _, e := range s.Covers {
		if !s.holds(e) {
			return &verdict.Error{
				Code: verdict.CodeInvalid, What: fmt.Sprintf("%s was refused: it is said to be complete for %.64q and holds no advisories about that", s.Origin, e),
				Remedy: "import the archive of that ecosystem, or leave --covers out to take those that the archive is about; names are written as OSV writes them, as in npm, PyPI, crates.io",
			}
		}
	}
	return nil
}

// refuseShrunk compares a source with its last import: half an archive is well-formed too.
func refuseShrunk(s Source, old []Source, force bool) error {
	for _, o := range old {
		if o.Name != s.Name {
			continue
		}
		if o.Family != s.Family {
			return &verdict.Error{
				Code: verdict.CodeConflict, What: fmt.Sprintf("source %s holds %s data and cannot be replaced by %s data", s.Name, o.Family, s.Family),
				Remedy: "import it under another name",
			}
		}
		if !force && s.Counts.Records*100 < o.Counts.Records*minKeptShare {
			return &verdict.Error{
				Code: verdict.CodeInvalid, What: fmt.Sprintf("%s was refused: it has %d records, and %d when it was imported last", s.Origin, s.Counts.Records, o.Counts.Records),
				Remedy: "fetch it again; if its publisher really took so many records back, import it with --force",
			}
		}
	}
	return nil
}

// loader gathers what one source holds.
type loader struct {
	name     string
	now      time.Time
	progress func(Progress)
	about    string // the ecosystem that the source must speak of; empty: any

	tally    Tally
	modified time.Time
	skipped  []Skipped
	postings map[string]int64 // per ecosystem
	alone    map[string]bool  // ecosystems that some record is about alone
	files    int64
}

func (l *loader) tell(step string, done, total int64) {
	if l.progress != nil {
		l.progress(Progress{Source: l.name, Step: step, Done: done, Total: total})
	}
}

func (l *loader) covers() []string {
	out := slices.Sorted(maps.Keys(l.alone))
	if out == nil {
		out = []string{}
	}
	return out
}

func (l *loader) read(ctx context.Context, in *opened) (*sourceData, error) {
	l.postings, l.alone = map[string]int64{}, map[string]bool{}
	if in.single == nil {
		return l.readRecords(ctx, in)
	}
	parse := parseKEV
	if in.family == FamilyEPSS {
		parse = parseEPSS
	}
	c, err := parse(in.single)
	if err != nil {
		return nil, err
	}
	l.tally, l.modified = c.tally, c.modified
	return &sourceData{kev: c.kev, epss: c.epss}, nil
}

// result is what became of one file.
type result struct {
	name   string
	record *parsed
	err    error
}

// readRecords parses on all cores; one goroutine reads files, one gathers.
func (l *loader) readRecords(ctx context.Context, in *opened) (*sourceData, error) {
	g, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	todo, done := make(chan input, 2*workers), make(chan result, 64)
	g.Go(func() error {
		defer close(todo)
		return in.files(ctx, func(i input) error {
			select {
			case todo <- i:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	var parsers errgroup.Group
	for range workers {
		parsers.Go(func() error {
			for i := range todo {
				done <- l.parse(i)
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(done)
		return parsers.Wait()
	})
	best := map[string]*parsed{}
	for r := range done {
		l.gather(r, best)
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return &sourceData{postings: l.flatten(best)}, nil
}

func (l *loader) parse(i input) result {
	if i.err != nil {
		return result{name: i.name, err: i.err}
	}
	p, err := parseRecord(i.body, strings.ToLower(filepath.Ext(i.name)) != ".json", l.now)
	return result{i.name, p, err}
}

// gather counts one file and keeps its record if it is the newest of its id.
func (l *loader) gather(r result, best map[string]*parsed) {
	if l.files++; l.files%1000 == 0 {
		l.tell("read", l.files, 0)
	}
	switch {
	case errors.Is(r.err, errNoMatter):
		l.tally.NoPackage++
	case r.err != nil:
		l.tally.Unreadable++
		l.skipped = append(l.skipped, Skipped{r.name, r.err.Error()})
		slices.SortFunc(l.skipped, func(a, b Skipped) int { return cmp.Compare(a.Name, b.Name) })
		l.skipped = l.skipped[:min(len(l.skipped), maxNamed)]
	default:
		if old := best[r.record.id]; old != nil {
			l.tally.Duplicates++
			if !newer(r.record, old) {
				break
			}
		}
		best[r.record.id] = r.record
	}
}

// newer orders two records of one id whatever order they come in.
func newer(a, b *parsed) bool {
	if c := a.modified.Compare(b.modified); c != 0 {
		return c > 0
	}
	return bytesOf(a) > bytesOf(b)
}

func bytesOf(p *parsed) string {
	var b []byte
	for _, k := range slices.Sorted(maps.Keys(p.byKey)) {
		b = p.byKey[k].encode(appendString(b, k))
	}
	return string(b)
}

func (l *loader) flatten(best map[string]*parsed) []posting {
	var out []posting
	for _, p := range best {
		l.tally.add(p.tally)
		if p.modified.After(l.modified) {
			l.modified = p.modified
		}
		if p.alone != "" {
			l.alone[p.alone] = true
		}
		for key, post := range p.byKey {
			eco, _, _ := strings.Cut(key, "\x00")
			l.postings[eco]++
			out = append(out, *post)
		}
	}
	sortPostings(out)
	return out
}
