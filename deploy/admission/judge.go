package admission

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"verdict"
)

// image judges one image in the environment of the request.
func (x *asking) image(i Image) Finding {
	r, ok := readReference(i.Ref)
	switch {
	case i.Ref == "":
		return x.finding(i, Malformed, "it names no image", "name the image by its digest: image: NAME@sha256:…")
	case !ok:
		return x.finding(i, Malformed, fmt.Sprintf("%.200q is no image that could be pulled", i.Ref), "name the image by its digest: image: NAME@sha256:…")
	case r.Digest == "":
		return x.tagged(i, r)
	}
	env := x.a.Environment
	p, stands := x.standing(env, r.Digest, x.now)
	var index verdict.Digest
	if p == nil {
		p, index = x.standingIn(env, r.Digest, x.now)
		stands = p != nil
	}
	let := ""
	if !stands && controlled(x.r, x.owner) {
		if p == nil {
			p = x.wasLetIn(env, r.Digest)
		}
		if p != nil {
			let = cmp.Or(x.wasLet(env, r.Digest), p.Let)
		}
	}
	switch {
	case let != "":
		f := x.finding(i, Rescheduled, fmt.Sprintf("%s made it again for %s, which was let in", x.r.UserInfo.Username, x.owner), "")
		f.Outcome, f.Decision, f.Service = verdict.Allow, let, p.Service
		return f
	case x.lag > MaxLag:
		return x.unknown(i, r, p)
	case stands:
		f := x.finding(i, Promoted, fmt.Sprintf("%s was promoted to %s", short(r), env), "")
		if index != "" {
			f.Message = fmt.Sprintf("%s is of the index %s:%s, which was promoted to %s", short(r), index.Algorithm(), index.Short(), env)
		}
		f.Outcome, f.Decision, f.Service = verdict.Allow, p.Decision, p.Service
		return f
	}
	return x.refused(i, r, p)
}

// tagged is what is said of an image that names no digest. Where one of that name may go in,
// it is named: that it is the one that the tag means, nobody here can know.
func (x *asking) tagged(i Image, r reference) Finding {
	env := x.a.Environment
	f := x.finding(i, NotByDigest, fmt.Sprintf("%s names a tag, which can be moved, and no digest", quoted(i.Ref)), "name it by its digest: image: "+r.Name+"@sha256:…")
	if digest, decision := x.newestOf(env, repository(r.Name), x.now); digest != "" {
		f.Remedy = fmt.Sprintf("use the digest that was promoted to %s last (%s): image: %s@%s", env, decision, r.Name, digest)
	}
	return f
}

func quoted(ref string) string { return fmt.Sprintf("%.200q", ref) }

func short(r reference) string { return r.Name + "@" + r.Digest.Algorithm() + ":" + r.Digest.Short() }

// unknown is what is said of an image while nobody knows what was decided last: the
// environment says whether it is let in.
func (x *asking) unknown(i Image, r reference, p *Promotion) Finding {
	env := x.a.Environment
	behind := fmt.Sprintf("what was decided about %s is known of the first %d entries of the log, and since %s nobody knows what came after", short(r), x.a.Position, x.lag.Round(time.Second))
	f := x.finding(i, Behind, behind+fmt.Sprintf("; %s fails closed", env), "look whether the control plane reaches its database: its /readyz and its log; apply again when it does")
	if p != nil {
		f.Decision, f.Service = p.Decision, p.Service
	}
	if x.m.Environments[env].FailsOpen() {
		f.Outcome, f.Remedy, f.Message = verdict.Allow, "", behind+fmt.Sprintf("; %s fails open", env)
		if len(x.a.Warnings) < maxTold {
			x.a.Warnings = append(x.a.Warnings, warning("let in unseen: "+f.told()))
		}
	}
	return f
}

// refused says why a digest may not go in, and what to do.
func (x *asking) refused(i Image, r reference, p *Promotion) Finding {
	env := x.a.Environment
	again := fmt.Sprintf("verdict gate --env %s %s@%s", env, r.Name, r.Digest)
	if p == nil {
		f := x.finding(i, Unpromoted, fmt.Sprintf("%s was not promoted to %s", short(r), env), "ask the gate: "+again)
		if others := x.elsewhere(r.Digest, x.now); len(others) > 0 {
			f.Message += ", only to " + strings.Join(others, ", ")
		}
		return f
	}
	var f Finding
	switch {
	case p.Outcome == verdict.Allow:
		f = x.finding(i, Expired, fmt.Sprintf("the promotion of %s to %s expired at %s", short(r), env, p.Expires.UTC().Format("2006-01-02 15:04 UTC")), "ask the gate again: "+again)
	case p.Let != "":
		f = x.finding(i, Replaced, fmt.Sprintf("the gate of %s answered %s about %s after it had let it in", env, p.Outcome, short(r)), why(p)+again)
	default:
		f = x.finding(i, Unpromoted, fmt.Sprintf("the gate of %s answered %s about %s", env, p.Outcome, short(r)), why(p)+again)
	}
	if p.Outcome != verdict.Allow && p.Enforced == verdict.Allow {
		f.Message += fmt.Sprintf(", and did not hold it back because it was in mode %s", cmp.Or(p.Mode, verdict.ModeObserve))
	}
	f.Decision, f.Service = p.Decision, p.Service
	return f
}

func why(p *Promotion) string {
	if p.Outcome == verdict.Review {
		return "have it approved (verdict approve " + p.Decision + "), then ask again: "
	}
	return "see what is missing (verdict why " + p.Decision + "), then ask again: "
}
