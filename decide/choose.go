package decide

import (
	"slices"
	"sort"
	"sync"

	"verdict"
	"verdict/evidence"
	"verdict/policy"
	"verdict/sbom"
)

// earlier is a decision on which a later one rests.
type earlier struct {
	*recorded

	read    sync.Once // guards the making of what follows
	input   *policy.Input
	failure error
}

// facts are what it was decided from, but for findings that lie apart. They are read once, and
// never changed.
func (x *earlier) facts() (*policy.Input, error) {
	x.read.Do(func() { x.input, _, x.failure = policy.ReadRecorded(x.Basis.Input) }) // what an earlier version did not know is not known
	return x.input, x.failure
}

// earlierOf reads the statement of a decision.
func earlierOf(s *evidence.Statement) (*earlier, error) {
	var d recorded
	err := s.Decode(&d)
	return &earlier{recorded: &d}, err
}

// Stated is one statement about a subject, with what the map says of its signer.
type Stated struct {
	Ref verdict.Ref
	// Rank is the place of the trust entry that lets the producer state this kind, from
	// 0 for the strongest; Untrusted when no entry does.
	Rank int
	// Fails is true when the statement speaks against its subject: hits, or an
	// incomplete check.
	Fails  bool
	Report *verdict.Report // nil for kinds without one
	// Known is what the producer says of its own knowledge, for kinds that say it.
	Known *verdict.Knowledge
	// JoinedBy is the map that joined its accounts to people; empty when it does not say.
	JoinedBy verdict.Digest
	// Against says why it speaks against its subject; empty where what it holds says it.
	Against   string
	Built     *built                // of provenance
	Bill      *sbom.Bill            // of a bill of materials
	Licences  sbom.LicenceCounts    // that it declares
	Decided   *earlier              // of a decision
	found     *foundOnce            // of a report of vulnerabilities
	Ownership *verdict.Ownership    // of that kind
	Review    *verdict.ChangeReview // of that kind
	// Primary is true for the report of the tool that the map names first for this need.
	Primary bool
	// Unreadable says why the body could not be read: pruned, damaged, or not of its kind.
	Unreadable string
	// Elsewhere are the environments in which the map trusts the producer with it, where it
	// does not do so in the one that is asked about.
	Elsewhere []string
	// Gone is true where the ledger no longer gives the body: what it said cannot be told.
	Gone bool
}

// Untrusted is the rank of a producer without the right to state the kind.
const Untrusted = -1

// choose gives the statement that counts, of several of one kind about one subject, the
// other ones that speak against it and that nobody took back, oldest first, and those that
// were left aside because their signer has no right to them.
//
// An authorised producer counts; of theirs the latest position in the ledger; but a
// newer pass replaces a fail only when it comes from the same or a stronger producer,
// so that nobody can wash a fail away with a second, more lenient tool. That holds
// against every fail that stands: a weaker producer that first agrees with it and then
// changes its mind has taken back no more than its own word. One key can sign for several
// tools: a tool's pass takes back the fail of another one only when it is the primary of
// the two.
//
// What takes back a fail when it passes also replaces it when it fails itself, if it is a
// whole report: it is the newer word of the same mouth. The fail of another tool stands
// beside it, or a second tool that finds something harmless would hide what the first found.
func choose(all []Stated) (counts *Stated, others, aside []Stated) {
	all = append([]Stated{}, all...)
	sort.Slice(all, func(i, j int) bool { return all[i].Ref.Index < all[j].Ref.Index })
	var standing []*Stated // the fails that no later pass took back
	for i := range all {
		s := &all[i]
		against := s.Fails || s.Unreadable != ""
		switch {
		case s.Rank == Untrusted:
			aside = append(aside, *s)
		case against:
			if s.whole() {
				standing = slices.DeleteFunc(standing, s.lifts)
			}
			standing, counts = append(standing, s), s
		default:
			counts = s
			if standing = slices.DeleteFunc(standing, s.lifts); len(standing) > 0 {
				counts = standing[len(standing)-1]
			}
		}
	}
	for _, s := range standing {
		if s != counts {
			others = append(others, *s)
		}
	}
	return counts, others, aside
}

// whole reports whether a statement says all that its producer has to say: a report that
// is incomplete, or a body that nobody can read, replaces nothing.
func (s *Stated) whole() bool {
	return s.Unreadable == "" && (s.Report == nil || s.Report.Complete) && (s.Known == nil || s.Known.State == verdict.StateVerified)
}

// lifts reports whether a pass takes back a fail that was stated before it.
func (s *Stated) lifts(fail *Stated) bool {
	return s.Rank < fail.Rank || s.Rank == fail.Rank && (s.Primary || s.source() == fail.source())
}

// source is the tool that a report comes from, as the map names it; "" for Verdict's own
// and for what holds no report.
func (s *Stated) source() string {
	if s.Report == nil {
		return ""
	}
	return s.Report.Source
}
