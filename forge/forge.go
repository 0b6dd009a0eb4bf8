// Package forge says what a forge (GitHub, Azure Repos, GitLab) knows about a pull or
// merge request: who wrote it, who reviewed which commit of it, who merged it, and what
// the target branch demands.
//
// It reads and never judges. What a forge does not tell, or not to this token, stands in
// Request.Missing with the reason and the remedy, and is never "none".
//
// The forges are leaf packages (forge/github, forge/azure, forge/gitlab) that only
// cmd/verdict imports. Each offers Detect and New with the same signatures, and passes the
// suite in forge/forgetest. Each also has a Hook: what the server receives from the forge, and
// tells it.
package forge

import (
	"context"
	"strings"
	"time"
)

// The forges, as Request.Forge and Place.Forge name them. They are also the names of
// identity's systems for accounts.
const (
	GitHub = "github"
	Azure  = "azure"
	GitLab = "gitlab"
)

// The states of a request.
const (
	Open   = "open"
	Merged = "merged"
	Closed = "closed" // without a merge
)

// The states of a review.
const (
	Approved         = "approved"
	ChangesRequested = "changes_requested"
	Commented        = "commented"
	Dismissed        = "dismissed" // taken back by its author, by somebody else or by a push
)

// Unknown is the value of Request.Required that nobody could read.
const Unknown = -1

// Request is a pull or merge request as its forge tells it. Text comes from people and is
// neutralised by whoever prints it. Times are UTC.
type Request struct {
	Forge  string // GitHub, Azure or GitLab
	Repo   string // owner/name, project/name, or the full path of the project
	ID     string // the number that people use
	URL    string // for people
	Title  string
	Author Account
	State  string // Open, Merged or Closed

	Source, Target string // branches, without refs/heads/; a Source may be a fork's
	Head           string // the last commit of the source, hex
	From           string // the commit from which reviewers are shown the change up to Head, hex; empty where the forge does not tell it
	Commits        int64  // how many commits Source brings; 0 where the forge does not tell it
	Merge          string // the commit that is on the target now, hex; empty until merged
	MergedBy       Account
	MergedAt       time.Time // zero until merged
	Bypassed       bool      // the merge overrode the protection; false tells nothing, as most forges do not say

	// Reviews has the latest opinion of each account, oldest first: a later comment does
	// not hide an approval, a later dismissal does. Dismissed reviews stay, and so do
	// those of an older head (Commit tells) and those of the author. An account that the
	// forge deleted has no ID, and each review of such a one stands for itself.
	Reviews []Review

	// Required is how many approvals the target's protection demands at least, or
	// Unknown.
	Required   int64
	Protection Protection

	// Missing is what could not be read. Whoever judges treats it as missing, never as
	// none. It is sorted by What, with one entry for each.
	Missing []Missing
}

// Lacks reports whether the field could not be read, or only in part. It takes one of the
// Missing names: "reviews" is lacking in part where "reviews.commit" is, and
// "reviews.commit" is lacking where all reviews are.
func (r Request) Lacks(what string) bool {
	for _, m := range r.Missing {
		if m.What == what || strings.HasPrefix(m.What, what+".") || strings.HasPrefix(what, m.What+".") {
			return true
		}
	}
	return false
}

// Account is an account of a forge.
type Account struct {
	ID    string // the forge's immutable id; empty for a deleted account or when unknown
	Login string // the name that people sign in with; it can change hands
	Name  string // for people
	Bot   bool   // the forge says that it is no person; false says nothing
}

// Review is one account's opinion.
type Review struct {
	By     Account
	State  string    // Approved, ChangesRequested, Commented or Dismissed
	Commit string    // the head that it was given for, hex; empty when unknown
	At     time.Time // zero when unknown

	// Entitled says of an approval that the account has the right to give one that
	// counts: on a public repository everybody can press the button. True is certain;
	// false means "no" only where Missing does not name it.
	Entitled bool
}

// Protection is what the forge enforces on the target branch. A true field is certain.
// A false one means "no" only where Known, and where Missing does not name the field.
type Protection struct {
	Known bool // all that can protect the branch was read

	RequiresReview    bool // who is not exempt gets in by an approved request alone
	DismissesStale    bool // a push takes approvals back
	RequiresCodeOwner bool // the owners of the touched paths have to approve
	ForbidsForcePush  bool
	AppliesToAdmins   bool // nobody is exempt from RequiresReview, administrators included
	RequiresSigned    bool // commits carry signatures that the forge accepts
}

// The names of what can be missing.
const (
	MissingAuthor     = "author"
	MissingBranches   = "branches"
	MissingHead       = "head"
	MissingMerge      = "merge" // the commit, who merged, or when
	MissingReviews    = "reviews"
	MissingCommit     = "reviews.commit"   // of some reviews
	MissingEntitled   = "reviews.entitled" // of some approvals
	MissingRequired   = "required"
	MissingProtection = "protection"
	MissingDismisses  = "protection.dismisses_stale"
	MissingCodeOwner  = "protection.requires_code_owner"
	MissingForcePush  = "protection.forbids_force_push"
	MissingAdmins     = "protection.applies_to_admins"
	MissingSigned     = "protection.requires_signed"
)

// Missing is something that could not be read. No field is ever empty.
type Missing struct {
	What   string // one of the Missing names
	Why    string
	Remedy string // what makes it readable, or that nothing does
}

// Reader answers from one repository of one forge. It is safe for concurrent use.
//
// An answer that a permission keeps back is Missing where the request itself could be
// read. Anything that may go better the next time (a throttle that outlasts the wait, a
// broken answer, a time-out) is an *verdict.Error: half of an answer is none.
type Reader interface {
	// ForCommit lists the requests that brought or would bring the commit (full hex),
	// by number. None is an empty list.
	ForCommit(ctx context.Context, commit string) ([]Request, error)

	// Request reads one by its number. One that is not there, or not for this token, is
	// an *verdict.Error with CodeNotFound.
	Request(ctx context.Context, id string) (Request, error)
}

// Place is where a pipeline's job runs, as its environment tells: what each leaf's
// Detect gives and New takes.
type Place struct {
	Forge string
	API   string // base of the REST API: https, or http on a loopback address
	Repo  string // as Request.Repo, or an id where the forge's API prefers it
	ID    string // number of the request that the job runs for; empty when it runs for none
	Token string // name of the environment variable that holds the token; empty when none is set
}
