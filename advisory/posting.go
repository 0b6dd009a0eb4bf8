package advisory

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/google/osv-scalibr/semantic"

	"verdict"
)

// notJudged says why a posting cannot be compared with every version.
type notJudged byte

const (
	onlyGit    notJudged = 1 + iota // commits of a git repository, no versions
	noVersions                      // neither ranges nor versions
	badRange                        // a range whose ends cannot be ordered
	notJudgedCount
)

func (w notJudged) String() string {
	switch w {
	case onlyGit:
		return "states git commits only"
	case noVersions:
		return "states no versions"
	case badRange:
		return "states a range that cannot be ordered"
	}
	return ""
}

// posting is what one record says about one package.
type posting struct {
	key       string
	source    int // number of the source in the index
	id        string
	modified  int64 // seconds since 1970; 0 unknown
	aliases   []string
	upstream  []string // faults that it is about, as a distribution's advisory is about several
	summary   string
	severity  verdict.Severity
	malicious bool
	withdrawn bool
	why       notJudged // 0 when everything can be compared
	spans     []span
	versions  []string // affected one by one, beside the spans
	packages  []string // affected of it, as they are imported; nil: not told, or all
}

// placed remembers what it parsed: the ends of spans repeat.
func placed(o order) func(string) (semantic.Version, error) {
	type result struct {
		v   semantic.Version
		err error
	}
	seen := map[string]result{}
	return func(s string) (semantic.Version, error) {
		r, ok := seen[s]
		if !ok {
			r.v, r.err = o.parse(s)
			seen[s] = r
		}
		return r.v, r.err
	}
}

const (
	flagWithdrawn = 1 << 0
	flagMalicious = 1 << 1
	shiftSeverity = 2 // three bits
	shiftWhy      = 5 // two bits
	flagPackages  = 1 << 7
)

// encode appends the posting in the form of the index.
func (p *posting) encode(b []byte) []byte {
	flags := byte(number(p.severity)<<shiftSeverity) | byte(p.why)<<shiftWhy
	if p.withdrawn {
		flags |= flagWithdrawn
	}
	if p.malicious {
		flags |= flagMalicious
	}
	if len(p.packages) > 0 {
		flags |= flagPackages
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(p.source))
	b = binary.AppendUvarint(b, uint64(max(p.modified, 0)))
	b = appendString(b, p.id)
	b = appendStrings(b, p.aliases)
	b = appendStrings(b, p.upstream)
	b = appendString(b, p.summary)
	b = binary.AppendUvarint(b, uint64(len(p.spans)))
	for _, s := range p.spans {
		e := byte(s.end)
		if s.semver {
			e |= 1 << 7
		}
		b = appendString(append(b, e), s.low)
		if s.end != endOpen {
			b = appendString(b, s.high)
		}
	}
	b = appendStrings(b, p.versions)
	if len(p.packages) > 0 { // most ecosystems have none, and pay nothing
		b = appendStrings(b, p.packages)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

var errDamaged = errors.New("the bytes make no sense")

// reading takes values from the front of b, which is a copy of the block: what it gives
// must outlive the map. After the first value that is not there, bad is set and
// everything is zero.
type reading struct {
	b   string
	bad bool
}

// number is the varint of encoding/binary, which reads byte slices only.
func (r *reading) number() uint64 {
	var n uint64
	for i := 0; i < len(r.b) && i < binary.MaxVarintLen64; i++ {
		c := r.b[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.b = r.b[i+1:]
			return n
		}
	}
	r.bad, r.b = true, ""
	return 0
}

func (r *reading) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reading) string() string {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, ""
		return ""
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s
}

// length is the length of a list whose members take at least one byte each.
func (r *reading) length() int {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, ""
		return 0
	}
	return int(n)
}

func (r *reading) strings() []string {
	n := r.length()
	if n == 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = r.string()
	}
	return out
}

// posting reads what encode wrote.
func (r *reading) posting(key string, sources int) (posting, error) {
	flags := r.byte()
	p := posting{key: key, withdrawn: flags&flagWithdrawn != 0, malicious: flags&flagMalicious != 0}
	level := int(flags>>shiftSeverity) & 7
	p.why = notJudged(flags>>shiftWhy) & 3
	if level >= len(severities) || p.why >= notJudgedCount {
		return p, errDamaged
	}
	p.severity = severities[level]
	source, modified := r.number(), r.number()
	if source >= uint64(sources) || modified > math.MaxInt64 {
		return p, errDamaged
	}
	p.source, p.modified = int(source), int64(modified)
	p.id = r.string()
	p.aliases = r.strings()
	p.upstream = r.strings()
	p.summary = r.string()
	if n := r.length(); n > 0 {
		p.spans = make([]span, n)
	}
	for i := range p.spans {
		e := r.byte()
		s := span{semver: e&(1<<7) != 0, end: end(e &^ (1 << 7)), low: r.string()}
		if s.end >= endCount {
			return p, errDamaged
		}
		if s.end != endOpen {
			s.high = r.string()
		}
		p.spans[i] = s
	}
	p.versions = r.strings()
	if flags&flagPackages != 0 {
		p.packages = r.strings()
	}
	if r.bad || p.id == "" {
		return p, errDamaged
	}
	return p, nil
}
