package decide

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
)

// needPeople stands for what persons said where a need does: see gone.
const needPeople = "people"

// said of persons, as the case of a deploy point holds it.
type peopled struct {
	exceptions []verdict.Exception
	approvals  []verdict.Approval
	glasses    []verdict.BreakGlass
	unfit      []EmergencyRecord // emergencies that the map of now would not let anybody give
	barred     []verdict.Barred
	persons    int
	people     *People
}

// gatherPeople finds what persons stated about the subject, service and environment of a
// deploy point. Who may state it is judged here, by the map and by who signed; whether it
// covers what is asked is for Conclude.
func (e *Engine) gatherPeople(ctx context.Context, r Request, p decisionmap.Point, m moment, g *gathered) error {
	if p.Layer != verdict.LayerDeploy {
		return nil
	}
	g.peopled = peopled{people: &People{
		Entitled: []string{}, Rejections: []verdict.Approval{}, OneHand: []Pair{}, Aside: []verdict.Aside{}, Entries: map[string][]verdict.Ref{},
	}}
	who := e.persons(m.seen)
	if p.Review != nil {
		if err := e.gatherAnswers(ctx, who, r, *p.Review, g); err != nil {
			return err
		}
	}
	if r.Service != "" && r.Environment != "" {
		if err := e.gatherExceptions(ctx, who, r, g); err != nil {
			return err
		}
		if err := e.gatherEmergencies(ctx, who, r, g); err != nil {
			return err
		}
	}
	for _, refs := range g.peopled.people.Entries {
		g.about = append(g.about, refs...)
	}
	return nil
}

// lost notes that something a person stated can no longer be read: it may have been a no,
// or have taken a yes back.
func (g *gathered) lost(why string) {
	if why == "" {
		return
	}
	g.gone = append(g.gone, gone{need: needPeople, why: why})
	g.faults = append(g.faults, verdict.Fault{
		Code: "people.unreadable", What: "what a person stated about it cannot be read: " + why,
		Remedy: "find out what became of the entry: verdict log verify; a body that was lost comes back from a backup of the data folder",
	})
}

func (e *Engine) gatherAnswers(ctx context.Context, who *Persons, r Request, review decisionmap.Review, g *gathered) error {
	out := &g.peopled
	out.persons = int(review.Count)
	if who.Critical(r.Service) {
		out.persons = max(out.persons, critical)
	}
	out.people.Entitled = who.words(review.Approvers, r.Service)
	said, err := who.answers(ctx, r, review)
	if err != nil {
		return err
	}
	g.lost(said.gone)
	out.approvals, out.people.Rejections, out.people.Aside = said.approvals, append(out.people.Rejections, said.rejections...), append(out.people.Aside, said.aside...)
	for id, refs := range said.refs {
		out.people.Entries[id] = refs
	}
	b, err := e.barred(ctx, who, r, review.Not)
	if err != nil {
		return err
	}
	out.barred, out.people.Unknown, out.people.Remedy = b.persons, b.unknown, b.remedy
	out.people.OneHand, err = who.oneHand(ctx, said, b.persons)
	return err
}

// oneHand lists which of those who approved count as one with another of them, or with
// somebody who may not approve; a person beside themself has a key that may be nobody's.
func (p *Persons) oneHand(ctx context.Context, said answers, barred []verdict.Barred) ([]Pair, error) {
	out := []Pair{}
	add := func(a, b, why string) {
		if x := (Pair{a, b, why}); why != "" && !slices.ContainsFunc(out, func(o Pair) bool { return o.A == a && o.B == b }) {
			out = append(out, x)
		}
	}
	for i, a := range said.approvals {
		key := said.keys[a.ID]
		why, err := p.one(ctx, key, key)
		if err != nil {
			return nil, err
		}
		add(a.By, a.By, why)
		for _, b := range said.approvals[i+1:] {
			if a.By == b.By || a.Facts != b.Facts {
				continue
			}
			if why, err = p.one(ctx, key, said.keys[b.ID]); err != nil {
				return nil, err
			}
			add(a.By, b.By, why)
		}
		for _, b := range barred {
			if b.Person == a.By {
				continue
			}
			if why, err = p.oneWith(ctx, key, b.Person, said.refs[a.ID][0].Index); err != nil {
				return nil, err
			}
			add(a.By, b.Person, why)
		}
	}
	return out, nil
}

func (e *Engine) gatherExceptions(ctx context.Context, who *Persons, r Request, g *gathered) error {
	out := &g.peopled
	all, err := who.Exceptions(ctx, r.Service, r.Environment)
	if err != nil || len(all) == 0 {
		return err
	}
	out.people.Accepters = who.accepters(r.Service)
	// Who asks for the deployment is not who asked for the exception: that one was judged with
	// its steps.
	not := slices.DeleteFunc(append([]string{"author"}, e.Map.Exceptions.ApproverNot...), func(w string) bool { return w == "requester" })
	b, err := e.barred(ctx, who, r, not)
	if err != nil {
		return err
	}
	version := ""
	if slices.ContainsFunc(all, func(x ExceptionRecord) bool { return x.Versions != "" }) {
		if version, err = e.version(ctx, r, who.At); err != nil {
			return err
		}
	}
	for _, x := range all {
		g.lost(x.gone)
		why, remedy := x.Why, "ask for another one: verdict exception add"
		if why == "" && len(x.Digests) == 0 {
			why = unlike(x.Versions, version)
			remedy = "ask for one that names this digest: verdict exception add --digest " + string(r.Subject.Digest)
		}
		if why == "" && len(x.ApprovedBy) > 0 {
			if why, err = e.accepted(ctx, who, &x, b); err != nil {
				return err
			}
			remedy = "have somebody approve it who had no part in this artifact: verdict exception approve " + x.ID + " --as KEY"
		}
		if why != "" && !x.Revoked.IsZero() { // nobody can mend it any more
			why, remedy = "it was revoked at "+clock(x.Revoked), "mend what it accepted, or ask for another one: verdict exception add"
		}
		if why != "" {
			out.people.Aside = append(out.people.Aside, verdict.Aside{
				Kind: verdict.KindException, ID: x.ID, Rule: x.Rule, By: x.Steps[0].By, Index: x.Steps[0].Index, Why: why, Remedy: remedy,
			})
			continue
		}
		out.exceptions = append(out.exceptions, x.Exception)
		out.people.Entries[x.ID] = x.Refs
	}
	return nil
}

// accepted leaves of the persons who approved an exception those who had no part in this
// artifact; why says that nobody is left.
func (e *Engine) accepted(ctx context.Context, who *Persons, x *ExceptionRecord, b barred) (why string, err error) {
	if b.unknown != "" {
		return "nobody can be shown to be another than who had a part in the artifact: " + b.unknown + " (" + b.remedy + ")", nil
	}
	left := []string{}
	for _, k := range x.keys {
		part := ""
		for _, p := range b.persons {
			switch one, err := "", error(nil); {
			case p.Person == k.Person:
				part = k.Person + " is " + p.Role
			default:
				if one, err = who.oneWith(ctx, k, p.Person, x.Steps[len(x.Steps)-1].Index); err != nil {
					return "", err
				}
				if one != "" {
					part = p.Person + " is " + p.Role + ", and " + one
				}
			}
		}
		if part == "" {
			left = append(left, k.Person)
		} else {
			why = part
		}
	}
	slices.Sort(left)
	if x.ApprovedBy = left; len(left) > 0 {
		return "", nil
	}
	return why + ", so that approval does not count", nil
}

// unlike says why a range of versions does not cover a version; "" when it does.
func unlike(versions, version string) string {
	if version == "" && versions != "*" {
		return fmt.Sprintf("it is for versions %s, and the provenance of this one names no git tag that is a version", versions)
	}
	switch in, err := InRange(versions, version); {
	case err != nil:
		return err.Error()
	case !in:
		return fmt.Sprintf("it is for versions %s, and this is %s", versions, version)
	}
	return ""
}

// version is the version of an artifact: that of the git tag from which it was built, as the
// provenance says by which it was trusted last. "" when it says none. The tag of an image is
// none: whoever may push or record one would move an exception onto any artifact.
func (e *Engine) version(ctx context.Context, r Request, at ledger.Position) (version string, err error) {
	err = e.eachEarlier(ctx, r, at, func(d *earlier) bool {
		in, err := d.facts()
		if err != nil {
			return true // of a point that knows no provenance
		}
		p := in.Artifact.Provenance
		if p.State == "" {
			return true
		}
		tag, tagged := strings.CutPrefix(p.Ref, "refs/tags/")
		tag = strings.TrimPrefix(tag, r.Service+"/") // one repository of several services
		if tagged && d.Outcome == verdict.Allow && p.State == verdict.StateVerified && p.Known != "" && p.Own && canonicalVersion(tag) != "" {
			version = tag
		}
		return false
	})
	return version, err
}

func (e *Engine) gatherEmergencies(ctx context.Context, who *Persons, r Request, g *gathered) error {
	all, err := who.Emergencies(ctx, r.Service, r.Environment)
	if err != nil {
		return err
	}
	for _, x := range all {
		g.lost(x.gone)
		if x.unfit {
			g.peopled.unfit = append(g.peopled.unfit, x)
		}
		if x.Why != "" {
			g.peopled.people.Aside = append(g.peopled.people.Aside, verdict.Aside{
				Kind: verdict.KindBreakGlass, ID: x.ID, By: x.By, Index: x.Index, Why: x.Why, Remedy: "have somebody break the glass whom the map lets: verdict break-glass open",
			})
			continue
		}
		g.peopled.glasses = append(g.peopled.glasses, x.BreakGlass)
		g.peopled.people.Entries[x.ID] = x.Refs
	}
	return nil
}

// restsOn are the statements of persons that a conclusion rests on.
func (p *People) restsOn(o Conclusion) []verdict.Ref {
	if p == nil {
		return nil
	}
	var ids []string
	if l := o.Lifted; l != nil {
		for _, x := range l.Exceptions {
			ids = append(ids, x.ID)
		}
		for _, a := range l.Approvals {
			ids = append(ids, a.ID)
		}
		if l.BreakGlass != nil {
			ids = append(ids, l.BreakGlass.ID)
		}
	}
	for _, r := range o.Reasons {
		if r.Rule == ReviewRejected {
			for _, it := range r.Items {
				ids = append(ids, it.Key)
			}
		}
	}
	var out []verdict.Ref
	for _, id := range ids {
		out = append(out, p.Entries[id]...)
	}
	return out
}

// joined are references with further ones, each once.
func joined(refs, more []verdict.Ref) []verdict.Ref {
	out := append([]verdict.Ref{}, refs...)
	for _, ref := range more {
		if !slices.ContainsFunc(out, func(r verdict.Ref) bool { return sameRef(r, ref) }) {
			out = append(out, ref)
		}
	}
	return out
}
