package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/forge"
	"verdict/ledger"
)

const (
	waitApproval  = 30 * 24 * time.Hour // as long as GitHub keeps a deployment waiting
	waitArtifact  = 10 * time.Minute    // for what is built and judged beside the deployment
	lookArtifact  = 20 * time.Second
	mostArtifacts = 50
	mostTold      = 8 // times that a forge is told to wait; GitHub takes ten
)

// asked is what the gate said of one artifact.
type asked struct {
	Decision string          `json:"decision"`
	Outcome  verdict.Outcome `json:"outcome"` // enforced
	Answers  int             `json:"answers"` // of persons, when it was asked
	Title    string          `json:"title"`
}

// deployable is an artifact of the commit, with the service that it is of.
type deployable struct {
	service string
	subject verdict.Subject
}

// deploy asks the gate of the environment about what was built from the commit, and answers
// the forge. What a person has to approve waits, and is asked again when somebody did.
func (d *working) deploy(ctx context.Context) (turn, error) {
	waited := d.w.o.Now().Sub(time.UnixMicro(d.kept.Received))
	services, err := d.w.o.Asker.Services(ctx, d.event.Address)
	if err != nil {
		return turn{}, err
	}
	if len(services) == 0 {
		return d.refuse(ctx, fmt.Sprintf("no service of the map in force is built from %s. Name the repository under the service's repo:", d.event.Address))
	}
	artifacts, err := d.artifacts(ctx, services)
	if err != nil {
		return turn{}, err
	}
	if len(artifacts) == 0 {
		what := "no artifact of the commit " + d.event.Commit + " was judged"
		if waited > waitArtifact {
			return d.refuse(ctx, what+". Build it, state its provenance, and ask verdict artifact trust before the deployment")
		}
		return turn{told: what + " yet", pause: lookArtifact}, d.tellWaiting(ctx, what+" yet")
	}
	news, err := d.news(ctx, artifacts)
	if err != nil {
		return turn{}, err
	}
	if news {
		if err := d.ask(ctx, artifacts); err != nil {
			return turn{}, err
		}
	}
	return d.conclude(ctx, artifacts, waited)
}

// artifacts are the newest of each name that the layer artifact decided on and that were made
// from the commit; or the one that the sender names, where such a decision is about it.
func (d *working) artifacts(ctx context.Context, services []Served) ([]deployable, error) {
	about := verdict.NewDigest("gitCommit", d.event.Commit)
	if d.event.Artifact != "" {
		digest, err := verdict.ParseDigest(d.event.Artifact)
		if err != nil {
			return nil, err
		}
		about = digest
	}
	entries, err := d.w.o.Records.Find(ctx, ledger.Query{Subject: about, Kind: verdict.KindDecision, At: ledger.Now, Limit: mostRecorded})
	if err != nil {
		return nil, err
	}
	var out []deployable
	for _, e := range entries { // newest first
		known := slices.ContainsFunc(services, func(s Served) bool { return s.Name == e.Context.Service })
		if e.Foreign || !known || e.Context.Environment != "" || len(e.Subjects) == 0 || e.Subjects[0].Kind != verdict.SubjectArtifact {
			continue
		}
		x := deployable{e.Context.Service, e.Subjects[0]}
		if d.event.Artifact != "" && x.subject.Digest != about {
			continue
		}
		if !slices.ContainsFunc(out, func(y deployable) bool { return y.service == x.service && y.subject.Name == x.subject.Name }) {
			out = append(out, x)
		}
	}
	if len(out) > mostArtifacts {
		return nil, &verdict.Error{
			Code: verdict.CodeLimit, What: fmt.Sprintf("%d artifacts were made from the commit %s", len(out), d.event.Commit),
			Remedy: "name the digest that is deployed, or divide the deployment",
		}
	}
	return out, nil
}

// news reports whether the gate has to be asked: about something that it was not asked, or
// because a person answered what waits.
func (d *working) news(ctx context.Context, artifacts []deployable) (bool, error) {
	for _, a := range artifacts {
		was, known := d.progress.Asked[string(a.subject.Digest)]
		if !known {
			return true, nil
		}
		if was.Outcome != verdict.Review {
			continue
		}
		answers, err := d.w.o.Records.Standing(ctx, verdict.KindApproval, was.Decision, ledger.Now)
		if err != nil {
			return false, err
		}
		if len(answers) != was.Answers {
			return true, nil
		}
		overtaken, err := d.overtaken(ctx, a, was.Decision)
		if err != nil || overtaken {
			return overtaken, err
		}
	}
	return false, nil
}

// overtaken reports whether the gate said meanwhile, to somebody else, what needs no approval.
// Another review is no news: two deployments that wait for one approval would ask in turns.
func (d *working) overtaken(ctx context.Context, a deployable, decision string) (bool, error) {
	rows, err := d.w.o.Records.Decisions(ctx, ledger.DecisionQuery{Subject: a.subject.Digest, Service: a.service, At: ledger.Now, Limit: mostRecorded})
	if err != nil {
		return false, err
	}
	own := slices.IndexFunc(rows, func(r ledger.DecisionRow) bool { return r.ID == decision })
	if own < 0 {
		return false, nil
	}
	return slices.ContainsFunc(rows[:own], func(r ledger.DecisionRow) bool {
		return r.Point == rows[own].Point && r.Environment == rows[own].Environment && r.Enforced != verdict.Review
	}), nil
}

// ask asks the gate about all of them, so that one moment answers for the whole deployment.
func (d *working) ask(ctx context.Context, artifacts []deployable) error {
	said := map[string]asked{}
	for _, a := range artifacts {
		decision, err := d.w.o.Asker.Gate(ctx, GateQuestion{
			Environment: d.event.Environment, Service: a.service, Artifact: a.subject, System: d.source.System, Requester: d.event.Requester, Run: d.kept.Source + "/" + d.kept.ID,
		})
		if err != nil {
			return err
		}
		answers := 0
		if decision.Enforced == verdict.Review {
			standing, err := d.w.o.Records.Standing(ctx, verdict.KindApproval, decision.ID, ledger.Now)
			if err != nil {
				return err
			}
			answers = len(standing)
		}
		said[string(a.subject.Digest)] = asked{decision.ID, decision.Enforced, answers, a.subject.Name + ": " + title(&decision)}
	}
	d.progress.Asked = said
	return d.save(ctx)
}

// conclude joins what the gate said: the worst of it is the answer.
func (d *working) conclude(ctx context.Context, artifacts []deployable, waited time.Duration) (turn, error) {
	outcome, page := verdict.Allow, ""
	var titles, waiting []string
	waits := verdict.Digest("")
	for _, a := range artifacts {
		said, known := d.progress.Asked[string(a.subject.Digest)]
		if !known {
			return turn{}, fmt.Errorf("the gate was not asked about %s", a.subject.Digest)
		}
		if page == "" || said.Outcome.Join(outcome) != outcome {
			page = d.w.o.Page(said.Decision)
		}
		outcome = outcome.Join(said.Outcome)
		titles = append(titles, said.Title+" ("+said.Decision+")")
		if said.Outcome == verdict.Review {
			waiting, waits = append(waiting, said.Decision), a.subject.Digest
		}
	}
	comment := strings.Join(titles, "\n")
	switch {
	case outcome != verdict.Review:
		err := d.answerOnce(ctx, forge.Answer{Outcome: outcome, Comment: comment, URL: page})
		return turn{over: true, told: comment}, err
	case waited > waitApproval:
		return d.refuse(ctx, "nobody approved in thirty days: "+comment)
	}
	how := comment
	for _, id := range waiting {
		how += "\nto approve: verdict approve " + id + " --scope … --rationale … --expires …"
	}
	return turn{told: comment, waits: string(waits), pause: lookAnyway}, d.tellWaitingAt(ctx, how, page)
}

// refuse ends the deployment with a no.
func (d *working) refuse(ctx context.Context, why string) (turn, error) {
	return turn{over: true, told: why}, d.answerOnce(ctx, forge.Answer{Outcome: verdict.Deny, Comment: why})
}

func (d *working) tellWaiting(ctx context.Context, what string) error {
	return d.tellWaitingAt(ctx, what, "")
}

// tellWaitingAt says what a deployment waits for, as often as a forge takes that.
func (d *working) tellWaitingAt(ctx context.Context, what, page string) error {
	a := forge.Answer{Outcome: verdict.Review, Comment: what, URL: page}
	if d.progress.Told >= mostTold || d.progress.Answered == string(a.Outcome)+"\n"+a.Comment {
		return nil
	}
	d.progress.Told++
	return d.answerOnce(ctx, a)
}
