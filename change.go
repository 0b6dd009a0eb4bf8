package verdict

import (
	"fmt"
	"time"
)

// Knowledge is how well a producer knows what it states. A statement whose State is not
// StateVerified says what is missing, and is never taken for an empty one.
type Knowledge struct {
	State State `json:"state"`
	// Why and Remedy are empty where the State is StateVerified.
	Why    string `json:"why"`
	Remedy string `json:"remedy"`
}

// Party is somebody who had a part in a change: the id of a person of the map's
// directory. For an account that the directory does not know, ID is a word that stands
// for the account and names nobody, and nothing may be concluded from its being another.
type Party struct {
	ID    string `json:"id"`
	Known bool   `json:"known"`
	Bot   bool   `json:"bot"` // the forge says that it is no person
}

// Change is what git knows of a change: the commits from Base to the subject. It travels
// in the report of the check "change".
type Change struct {
	Knowledge
	// Map is the decision map that accounts were joined to people by; a decision by another
	// map does not count what is said here. Empty for others' statements.
	Map     Digest `json:"map,omitempty"`
	Base    Digest `json:"base"`    // where the change left its target; empty for a first commit
	Against string `json:"against"` // the ref or commit that Base was found with
	// Author and Committer are those of the last commit, as it says of itself.
	Author    Party    `json:"author"`
	Committer Party    `json:"committer"`
	Commits   []Commit `json:"commits"` // newest first
	// Files are the changed paths, sorted; a renamed file is both of its names.
	Files []ChangedFile `json:"files"`
	// Added and Removed count lines of text; -1 when this clone cannot tell.
	Added   int64 `json:"added"`
	Removed int64 `json:"removed"`
	// Infrastructure are the changed paths that declare infrastructure.
	Infrastructure []string `json:"infrastructure"`
}

// Commit is one commit of a change.
type Commit struct {
	ID Digest `json:"id"`
	// Authors are everybody that the commit names as one: author and co-authors.
	Authors   []Party         `json:"authors"`
	Committer Party           `json:"committer"`
	Signature CommitSignature `json:"signature"`
}

// CommitSignature is what is known of a commit's signature: StateVerified by a key that
// was given, StateMissing when there is none, StateFailed when it does not hold, and
// StateUnknown when it could not be checked here.
type CommitSignature struct {
	Knowledge
	Format string `json:"format"` // ssh, openpgp, x509; empty without a signature
	By     Party  `json:"by"`     // whose key it is; the zero value when not verified
}

// ChangedFile is one path of a change.
type ChangedFile struct {
	Path   string `json:"path"`
	Status string `json:"status"` // A added, M modified, D deleted, T another type of file
}

// Ownership says who owns the changed paths by the files of the change's base. What the
// change itself says of ownership does not count.
type Ownership struct {
	Knowledge
	Map     Digest            `json:"map,omitempty"` // as in Change
	Sources []OwnershipSource `json:"sources"`
	// Groups hold each changed path once; paths with the same answer stand together.
	Groups []OwnedPaths `json:"groups"`
}

// OwnershipSource is one file that says who owns what.
type OwnershipSource struct {
	Path  string `json:"path"`
	Form  string `json:"form"`  // map, github, gitlab, backstage
	Rules int64  `json:"rules"` // that it holds
	// Faults are lines that say nothing, as the forge takes them too.
	Faults []string `json:"faults"`
}

// OwnedPaths are changed paths about which the sources say the same.
type OwnedPaths struct {
	Paths []string `json:"paths"`
	// Protected paths say who decides: ownership files, the map, pipelines, policy.
	Protected bool    `json:"protected"`
	Claims    []Claim `json:"claims"` // what counts, one for each source that speaks
	Conflict  bool    `json:"conflict"`
	// Persons are the owners that the directory knows, sorted.
	Persons []string `json:"persons"`
	// Own is true when a rule names the path itself, and not all that there is.
	Own bool `json:"own"`
	// Brought are claims of the change's own files, where nothing else owns the path.
	Brought []Claim `json:"brought"`
}

// Claim is one line of a source about a path.
type Claim struct {
	File    string   `json:"file"`
	Line    int64    `json:"line"` // from 1; 0 when not known
	Pattern string   `json:"pattern"`
	Section string   `json:"section"` // of GitLab's form
	Owners  []string `json:"owners"`  // as written, or the id of a person; empty: nobody, on purpose
}

// Place is where the claim stands, for people: "CODEOWNERS:3".
func (c Claim) Place() string {
	if c.Line == 0 {
		return c.File
	}
	return fmt.Sprintf("%s:%d", c.File, c.Line)
}

// Unowned reports whether nobody owns the paths.
func (o OwnedPaths) Unowned() bool {
	for _, c := range o.Claims {
		if len(c.Owners) > 0 {
			return false
		}
	}
	return true
}

// The standings of an approval.
const (
	ApprovalStands    = "stands"    // given for the very commit
	ApprovalStale     = "stale"     // given for another one
	ApprovalDismissed = "dismissed" // taken back
	ApprovalUnknown   = "unknown"   // nobody knows for which commit
)

// ChangeReview is what a forge knows of the review of a change.
type ChangeReview struct {
	Knowledge
	Map Digest `json:"map,omitempty"` // as in Change
	// Asked is when the forge told it: an approval may be taken back and given again.
	Asked   time.Time `json:"asked"`
	Forge   string    `json:"forge"`
	Request string    `json:"request"` // repository and number
	URL     string    `json:"url"`
	Author  Party     `json:"author"` // who asked for the change
	// Head is the commit that was reviewed last; the subject, or the commit that the forge
	// made the subject from.
	Head Digest `json:"head"`
	// Approvals are of every account that ever approved, with what became of it.
	Approvals []ChangeApproval `json:"approvals"`
	Objecting []Party          `json:"objecting"` // who asks for changes
	// Required is how many approvals the target demands, -1 when nobody could read it.
	Required int64     `json:"required"`
	Merged   bool      `json:"merged"`
	MergedBy Party     `json:"merged_by"`
	MergedAt time.Time `json:"merged_at,omitzero"`
	Bypassed bool      `json:"bypassed"` // the merge overrode the protection
	// Protection names what the forge enforces on the target, sorted; Unread what of it
	// could not be read.
	Protection []string `json:"protection"`
	Unread     []string `json:"unread"`
}

// ChangeApproval is one account's yes.
type ChangeApproval struct {
	By       Party     `json:"by"`
	Standing string    `json:"standing"`
	At       time.Time `json:"at,omitzero"`
}
