package advisory

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of the catalogues.
const (
	maxKEV     = 64 << 20  // bytes; the catalogue of 2026 has 2
	maxEPSS    = 256 << 20 // bytes when unpacked; the scores of 2026 have 10
	maxLine    = 1 << 10   // bytes of one line of EPSS
	maxEPSSRow = 5_000_000
)

// catalogue is KEV or EPSS as sections of the index.
type catalogue struct {
	kev, epss []byte
	modified  time.Time
	tally     Tally
}

// parseKEV reads CISA's catalogue of known exploited vulnerabilities (JSON).
func parseKEV(r io.Reader) (catalogue, error) {
	var c catalogue
	b, err := io.ReadAll(io.LimitReader(r, maxKEV+1))
	if err != nil {
		return c, err
	}
	if len(b) > maxKEV {
		return c, fmt.Errorf("longer than %d bytes", maxKEV)
	}
	var doc struct {
		Released string `json:"dateReleased"`
		Entries  []struct {
			CVE string `json:"cveID"`
		} `json:"vulnerabilities"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return c, err
	}
	if c.modified, err = timeOf(doc.Released); err != nil {
		return c, fmt.Errorf("dateReleased: %w", err)
	}
	seen := map[uint64]uint32{}
	for _, e := range doc.Entries {
		if n, ok := numberOfCVE(e.CVE); ok {
			c.tally.note(seen, n, 0)
		} else {
			c.tally.Unreadable++
		}
	}
	for _, n := range slices.Sorted(maps.Keys(seen)) {
		c.kev = binary.LittleEndian.AppendUint64(c.kev, n)
	}
	return c, nil
}

// parseEPSS reads FIRST's exploit prediction scores: a comment with the date, a line of
// titles, and rows of CVE, probability and percentile.
func parseEPSS(r io.Reader) (catalogue, error) {
	var c catalogue
	limited := &io.LimitedReader{R: r, N: maxEPSS + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	seen := map[uint64]uint32{}
	titled := false
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "":
		case !titled && strings.HasPrefix(line, "#"):
			if c.modified = scoreDate(line); c.modified.IsZero() {
				return c, errors.New("its first line states no score_date")
			}
		case !titled:
			if titled = strings.HasPrefix(line, "cve,epss"); !titled {
				return c, errors.New("its columns are not cve, epss, …")
			}
		default:
			n, ppm, ok := scoreOfRow(line)
			if !ok {
				c.tally.Unreadable++
				continue
			}
			if c.tally.note(seen, n, ppm); len(seen) > maxEPSSRow {
				return c, fmt.Errorf("more than %d rows", maxEPSSRow)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return c, err
	}
	if limited.N <= 0 {
		return c, fmt.Errorf("longer than %d bytes", maxEPSS)
	}
	for _, n := range slices.Sorted(maps.Keys(seen)) {
		c.epss = binary.LittleEndian.AppendUint64(c.epss, n)
		c.epss = binary.LittleEndian.AppendUint32(c.epss, seen[n])
	}
	return c, nil
}

// note keeps the higher of two values for one number.
func (t *Tally) note(seen map[uint64]uint32, n uint64, value uint32) {
	if _, twice := seen[n]; twice {
		t.Duplicates++
	} else {
		t.Records++
	}
	seen[n] = max(seen[n], value)
}

func scoreDate(line string) time.Time {
	_, date, _ := strings.Cut(line, "score_date:")
	date, _, _ = strings.Cut(date, ",")
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05-0700", time.DateOnly} {
		if t, err := time.Parse(form, strings.TrimSpace(date)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

func scoreOfRow(line string) (cve uint64, ppm uint32, ok bool) {
	id, rest, _ := strings.Cut(line, ",")
	score, _, _ := strings.Cut(rest, ",")
	n, known := numberOfCVE(id)
	f, err := strconv.ParseFloat(score, 64)
	if !known || err != nil || !(f >= 0 && f <= 1) { // NaN is neither
		return 0, 0, false
	}
	return n, uint32(math.Round(f * 1e6)), true
}
