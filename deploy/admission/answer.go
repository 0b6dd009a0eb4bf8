package admission

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
)

// What is said of an image.
const (
	Promoted    = "promoted"    // the gate let it in here, and that stands
	Rescheduled = "rescheduled" // it was let in here, and a controller makes it again
	NotByDigest = "tag"         // a tag, which can be moved
	Malformed   = "malformed"   // no runtime would pull it
	Unpromoted  = "unpromoted"  // the gate never let it in here
	Expired     = "expired"     // it did, and that is over
	Replaced    = "replaced"    // it did, and has said something else since
	NotPlaced   = "unmapped"    // no environment claims the namespace, or two do
	Behind      = "behind"      // what was decided last is not known
)

// What is said of a request as a whole, where no image is looked at.
const (
	NothingRuns  = "nothing"   // it holds no image, or takes something away
	NothingNew   = "unchanged" // every image was in the object before
	NotLookedAt  = "ignored"   // the map has admission look at no namespace that nobody claims
	imagesJudged = "judged"
)

// Finding is what is said of one image.
type Finding struct {
	Path     string          `json:"path"`
	Image    string          `json:"image"`
	Digest   verdict.Digest  `json:"digest"` // empty: it names none
	Answer   string          `json:"answer"`
	Decision string          `json:"decision"` // on which that rests; empty: on none
	Service  string          `json:"service"`
	Outcome  verdict.Outcome `json:"outcome"` // allow or deny, before the mode
	Message  string          `json:"message"`
	Remedy   string          `json:"remedy"` // empty where nothing is wrong
}

// Answer is the answer to one request.
type Answer struct {
	Allowed     bool               `json:"allowed"`
	Outcome     verdict.Outcome    `json:"outcome"` // what the facts say
	Answer      string             `json:"answer"`
	Mode        verdict.Mode       `json:"mode"`
	Cluster     string             `json:"cluster"`
	Namespace   string             `json:"namespace"`
	Environment string             `json:"environment"` // empty: none claims the namespace
	Object      string             `json:"object"`      // such as "Deployment web"
	Operation   string             `json:"operation"`
	Requester   *verdict.Requester `json:"requester"`
	Findings    []Finding          `json:"findings"`
	Warnings    []string           `json:"warnings"`
	Position    int64              `json:"position"` // of the log, up to which decisions are known
	LagSeconds  int64              `json:"lag_seconds"`
	Message     string             `json:"message"` // for who is denied; empty otherwise

	workload string // for the record: who owns the object, else the object
	records  bool
}

// Exit is the exit code of the answer: 0 let in, 3 denied, 1 nobody knows.
func (a *Answer) Exit() int {
	switch {
	case a.Allowed:
		return 0
	case slices.ContainsFunc(a.Findings, func(f Finding) bool { return f.Outcome == verdict.Deny && f.Answer != Behind }):
		return verdict.CodeRefused.Exit()
	}
	return verdict.CodeUnavailable.Exit()
}

// asking is one request at work.
type asking struct {
	*set
	r     *Request
	a     *Answer
	owner string // the controller of the object, "Kind/name"
	now   time.Time
	lag   time.Duration
}

// answer judges a request. An error says that it cannot be read.
func (s *set) answer(cluster string, r *Request, now time.Time, lag time.Duration) (*Answer, error) {
	if !s.clusters[cluster] {
		return nil, &verdict.Error{
			Code: verdict.CodeNotFound, What: fmt.Sprintf("no environment of the map names the cluster %.100q", cluster),
			Remedy: fmt.Sprintf("add to the environments that it belongs to: kubernetes: [{cluster: %.100s, namespaces: [NAME]}], and release the map; or correct the address of the webhook", cluster),
		}
	}
	x := &asking{set: s, r: r, now: now, lag: lag, a: &Answer{
		Allowed: true, Outcome: verdict.Allow, Answer: NothingRuns, Mode: s.point.ModeAt(now), Cluster: cluster, Namespace: r.Namespace, Operation: r.Operation,
		Findings: []Finding{}, Warnings: []string{}, Position: s.applied.Load(), LagSeconds: int64(lag / time.Second),
	}}
	if r.Operation != "CREATE" && r.Operation != "UPDATE" {
		return x.a, nil
	}
	images, name, err := imagesIn(r.Object, r.Kind)
	x.identify(name)
	if err != nil || len(images) == 0 {
		return x.a, err
	}
	if r.Operation == "UPDATE" {
		old, _, err := imagesIn(r.OldObject, r.Kind)
		if err != nil {
			return nil, err
		}
		images = slices.DeleteFunc(images, func(i Image) bool { return slices.ContainsFunc(old, func(o Image) bool { return o.Ref == i.Ref }) })
	}
	if len(images) == 0 {
		x.a.Answer = NothingNew
		return x.a, nil
	}
	x.judge(images)
	return x.a, nil
}

// identify names the object, what controls it, and who asks.
func (x *asking) identify(n named) {
	if x.r.Name != "" {
		n.name = x.r.Name
	}
	x.a.Object = clip(x.r.Kind.String() + "/" + n.name)
	x.a.workload, x.owner = x.a.Object, n.owner
	if n.owner != "" {
		x.a.workload = clip(n.owner)
	}
	x.a.Requester = x.requester(x.r.UserInfo)
}

func clip(s string) string { return s[:min(len(s), maxText)] }

func (x *asking) judge(images []Image) {
	a := x.a
	a.Answer, a.records = imagesJudged, true
	switch places := x.placed(a.Cluster, a.Namespace); len(places) {
	case 0:
		x.nowhere(images)
	case 1:
		a.Environment = places[0]
		for _, i := range images {
			a.Findings = append(a.Findings, x.image(i))
		}
	default:
		for _, i := range images {
			a.Findings = append(a.Findings, x.finding(i, NotPlaced, fmt.Sprintf("%s all claim the namespace %s of the cluster %s", strings.Join(places, " and "), a.Namespace, a.Cluster), "leave it with one of them under environments: of the map; verdict map lint names the place (VD-G07)"))
		}
	}
	for _, f := range a.Findings {
		if f.Outcome == verdict.Deny {
			a.Outcome = verdict.Deny
		}
	}
	x.enforce()
}

// nowhere judges what would run where no environment is.
func (x *asking) nowhere(images []Image) {
	a := x.a
	where := fmt.Sprintf("no environment of the map claims the namespace %s of the cluster %s", orNone(a.Namespace), a.Cluster)
	remedy := fmt.Sprintf("add to the environment that it belongs to: kubernetes: [{cluster: %s, namespaces: [%s]}]; or say admission: {unmapped: ignore} or {unmapped: deny}", a.Cluster, a.Namespace)
	switch x.m.Admission.Unmapped {
	case decisionmap.UnmappedIgnore:
		a.Answer, a.records = NotLookedAt, false
	case decisionmap.UnmappedDeny:
		for _, i := range images {
			a.Findings = append(a.Findings, x.finding(i, NotPlaced, where, remedy))
		}
	default:
		for _, i := range images {
			f := x.finding(i, NotPlaced, where+", so it is let in unseen", remedy)
			f.Outcome = verdict.Allow
			a.Findings = append(a.Findings, f)
		}
		a.Warnings = append(a.Warnings, warning(where+": it is let in unseen"))
	}
}

func orNone(namespace string) string {
	if namespace == "" {
		return "(none)"
	}
	return namespace
}

// enforce draws the conclusion that the mode allows.
func (x *asking) enforce() {
	a := x.a
	if a.Outcome == verdict.Allow {
		return
	}
	a.Message = x.message()
	switch a.Mode {
	case verdict.ModeBlock:
		a.Allowed = false
		return
	case verdict.ModeWarn:
		for _, f := range a.Findings {
			if f.Outcome == verdict.Deny && len(a.Warnings) < maxTold {
				a.Warnings = append(a.Warnings, warning("would be denied: "+f.told()))
			}
		}
	}
	a.Message = ""
}

// maxTold is how many images of one request are told about.
const maxTold = 10

// message is what a person reads who is denied.
func (x *asking) message() string {
	var lines []string
	left := 0
	for _, f := range x.a.Findings {
		switch {
		case f.Outcome != verdict.Deny:
		case len(lines) == maxTold:
			left++
		default:
			lines = append(lines, f.told()+"; fix: "+f.Remedy)
		}
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", left))
	}
	if r := x.a.Requester; x.a.Environment != "" && x.mayBreakGlass(r) {
		lines = append(lines, fmt.Sprintf("in an emergency you may: verdict break-glass open IMAGE --env %s --service NAME --incident ID --rationale TEXT --expires 2h, and ask the gate again", x.a.Environment))
	}
	return "verdict: " + strings.Join(lines, "\n")
}

func (f Finding) told() string {
	if f.Decision == "" {
		return f.Path + ": " + f.Message
	}
	return f.Path + ": " + f.Message + " (" + f.Decision + ")"
}

// maxWarning is how long a warning is that an API server passes on whole.
const maxWarning = 250

func warning(text string) string {
	text = "verdict: " + text
	if len(text) > maxWarning {
		text = strings.ToValidUTF8(text[:maxWarning-3], "") + "..."
	}
	return text
}

func (x *asking) finding(i Image, answer, message, remedy string) Finding {
	f := Finding{Path: clip(i.Path), Image: clip(i.Ref), Answer: answer, Outcome: verdict.Deny, Message: message, Remedy: remedy}
	if r, ok := readReference(i.Ref); ok {
		f.Digest = r.Digest
	}
	return f
}
