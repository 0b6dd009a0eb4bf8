package main

import (
	"fmt"
	"strings"

	"verdict"
	"verdict/evidence"
	"verdict/report"
)

// personTold tells in a few words what a person stated about accepted risk; "" for every
// other kind.
func personTold(s *evidence.Statement) string {
	switch s.Kind() {
	case verdict.KindApproval:
		var a verdict.Approval
		if s.Decode(&a) != nil {
			return ""
		}
		did := map[verdict.Step]string{verdict.StepApprove: "approved", verdict.StepReject: "rejected", verdict.StepWithdraw: "withdrew " + a.ID + ", the answer to"}[a.Step]
		if did == "" {
			return ""
		}
		until := ""
		if a.Step == verdict.StepApprove {
			until = " until " + clockText(a.Expires)
		}
		return fmt.Sprintf("%s %s decision %s at %s in %s%s: %s", report.Speaker(a.By, a.SignedIn), did, a.Decision, a.Point, a.Environment, until, a.Rationale)
	case verdict.KindException:
		var x verdict.ExceptionStep
		if s.Decode(&x) != nil {
			return ""
		}
		did := map[verdict.Step]string{verdict.StepRequest: "asked for", verdict.StepApprove: "approved", verdict.StepRevoke: "revoked"}[x.Step]
		if did == "" {
			return ""
		}
		return fmt.Sprintf("%s %s the exception %s from %s%s for %s in %s until %s: %s", report.Speaker(x.By, x.SignedIn), did, x.ID, x.Rule, itemsText(x.Items), x.Service, strings.Join(x.Environments, ", "), clockText(x.Expires), first(x.Note, x.Rationale))
	case verdict.KindBreakGlass:
		var b verdict.BreakGlass
		if s.Decode(&b) != nil {
			return ""
		}
		if b.Step == verdict.StepReview {
			return fmt.Sprintf("%s reviewed the emergency %s of %s: %s", report.Speaker(b.ReviewedBy, b.ReviewSignedIn), b.ID, b.By, b.Review)
		}
		return fmt.Sprintf("%s broke the glass for %s in %s until %s (%s): %s", report.Speaker(b.By, b.SignedIn), b.Service, b.Environment, clockText(b.Expires), b.Incident, b.Rationale)
	}
	return ""
}
