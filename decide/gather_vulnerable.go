package decide

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"verdict"
	"verdict/ledger"
	"verdict/policy"
)

// What became known of what runs is no observation: it says that advisories were matched, and
// not that anybody looked at the environment. It reaches a decision in two ways. What the
// artifact that is asked about leaves running is judged as a finding. What it replaces is not:
// it may well be the repair, and where it has the same flaw, that is among its own
// vulnerabilities, since when the flaw became known of what runs.

// vulnerable fills the findings of the kind runtime.vulnerable, newest first, and gives the
// other entries back.
func (d *deployment) vulnerable(ctx context.Context, entries []ledger.Entry, out *policy.Runtime) (others []ledger.Entry) {
	v := &out.Vulnerable
	v.State = verdict.StateMissing
	said, listed, unread := words{}, map[verdict.Digest]bool{}, false
	for _, entry := range entries {
		s, err := d.said(ctx, entry.Index)
		var f verdict.Finding
		if err != nil || s.failure != nil || s.statement.Decode(&f) != nil {
			unread = true // of which kind it is, nobody can tell
			others = append(others, entry)
			continue
		}
		if f.Kind != verdict.FindingVulnerable {
			others = append(others, entry)
			continue
		}
		if v.State = verdict.StateVerified; f.Fingerprint == "" || said.replaced(string(f.Fingerprint), d.wordOf(entry)) {
			continue
		}
		if d.use(entry); listed[f.Fingerprint] || f.State != verdict.FindingOpen || len(f.Advisories) == 0 || f.Environment != d.r.Environment || f.Service != d.r.Service {
			continue
		}
		listed[f.Fingerprint] = true
		v.Open = append(v.Open, policy.RunningVulnerability{
			Key: f.Fingerprint, ID: f.Advisories[0], Aliases: slices.Clone(f.Advisories[1:]), Artifact: f.Name, Digest: f.Digest, Severity: f.Severity,
			Exploited: f.Exploited, Malicious: f.Malicious, Fixed: f.Fixed, Since: policy.TimeOf(f.Opened.Truncate(time.Second)), OpenSeconds: d.since(f.Opened),
			Replaced: f.Name == d.name() || f.Digest == d.r.Subject.Digest, Evidence: entry.Digest,
		})
		d.ran.add(f, entry)
	}
	if unread {
		v.State = verdict.StateUnknown
	}
	return others
}

// name is that of the artifact: the one under which it was trusted, where that has one. Whoever
// asks could else say the name of another artifact, as if this one took its place.
func (d *deployment) name() string {
	if t := d.g.trusted; t != nil && t.Subject.Name != "" {
		return t.Subject.Name
	}
	return d.r.Subject.Name
}

// ran is since when flaws are known of what runs, and the entries that say so.
type ran struct {
	since   map[flaw]time.Time
	entries string
}

func (r *ran) add(f verdict.Finding, entry ledger.Entry) {
	if r.since == nil {
		r.since = map[flaw]time.Time{}
	}
	r.entries += strconv.FormatInt(entry.Index, 36) + " "
	for _, id := range f.Advisories {
		for _, c := range f.Components {
			x := flaw{id, c.Ecosystem, c.Name}
			if t, known := r.since[x]; !known || f.Opened.Before(t) {
				r.since[x] = f.Opened
			}
		}
	}
}

// before is the earlier of two times: that of a finding, and since when one of its names is
// known of what runs.
func (r *ran) before(t time.Time, f *policy.Finding) time.Time {
	for _, id := range append([]string{f.ID}, f.Aliases...) {
		if earlier, known := r.since[flaw{id, f.Ecosystem, f.Name}]; known && earlier.Before(t) {
			t = earlier
		}
	}
	return t
}

// key tells one set of findings from another.
func (r *ran) key() string { return strings.TrimSpace(r.entries) }
