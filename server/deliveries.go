package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"verdict"
	"verdict/forge"
	"verdict/ledger"
	"verdict/store"
)

// Times of the work for a delivery.
const (
	deliveryLease = 5 * time.Minute
	deliveryTurn  = 4 * time.Minute // what does not come to its end before the lease does is cut off
	mostFaults    = 10              // backoffs add up to some three hours
	mostBroken    = 4               // turns that ended with the process
	longestPause  = time.Hour
)

// progress is what is remembered of the work for a delivery between its turns.
type progress struct {
	Turns    int64            `json:"turns,omitempty"` // that came to their end
	Faults   int              `json:"faults,omitempty"`
	Shown    map[string]shown `json:"shown,omitempty"`    // by the name of the mark
	Asked    map[string]asked `json:"asked,omitempty"`    // by the digest of the artifact
	Answered string           `json:"answered,omitempty"` // what the forge was told last
	Told     int              `json:"told,omitempty"`     // how often it was told to wait
}

type shown struct {
	Decision string `json:"decision"`
	Ref      string `json:"ref"`
}

// turn is what one turn of the work comes to.
type turn struct {
	over  bool
	told  string
	waits string        // the subject whose evidence ends the wait
	pause time.Duration // before the next look, when nothing ends the wait
}

// working is the work for one delivery.
type working struct {
	w        *Webhooks
	source   Source
	kept     store.Delivery
	event    forge.Event
	progress progress
}

// Turn claims work for one delivery and does it, and reports whether there was any. What goes
// wrong with the delivery is told in its row; an error means that the store does not answer.
func (w *Webhooks) Turn(ctx context.Context, owner string) (bool, error) {
	now, err := w.at(ctx)
	if err != nil {
		return false, err
	}
	job, found, err := w.o.Store.ClaimJob(ctx, deliveryKind, owner, now.UnixMicro(), now.Add(deliveryLease).UnixMicro())
	if err != nil || !found {
		return false, err
	}
	if _, busy := w.atWork.LoadOrStore(job.ID, true); busy { // a clock that jumped made it look lost; who is at it ends it
		return false, nil
	}
	release := sync.OnceFunc(func() { w.atWork.Delete(job.ID) })
	defer release()
	d, err := w.load(ctx, job)
	if err != nil {
		return true, err
	}
	if d == nil { // it is gone, or came to its end and the process did too
		_, err := w.o.Store.FinishJob(ctx, job.ID, owner)
		return true, err
	}
	if lost := job.Attempts - 1 - d.progress.Turns; lost >= mostBroken {
		return true, d.end(ctx, job, owner, store.DeliveryFailed, fmt.Sprintf("the server ended %d times while it worked on this", lost))
	}
	began, err := w.o.Records.Position(ctx)
	if err != nil {
		return true, err
	}
	t, fault := d.try(ctx)
	release()             // before the row is given back: who claims it then does the next turn
	if ctx.Err() != nil { // whoever stops the process gives the work back
		_, err := w.o.Store.RepeatJob(context.WithoutCancel(ctx), job.ID, owner, now.UnixMicro(), "the server stopped")
		return true, err
	}
	d.progress.Turns = job.Attempts
	if fault != nil {
		return true, d.failed(ctx, job, owner, fault)
	}
	if t.over {
		return true, d.end(ctx, job, owner, store.DeliveryDone, t.told)
	}
	d.progress.Faults = 0
	d.kept.Told, d.kept.Waits = t.told, t.waits
	if err := d.save(ctx); err != nil {
		return true, err
	}
	if err := w.again(ctx, job, owner, t.pause, ""); err != nil {
		return true, err
	}
	return true, w.missed(ctx, t.waits, began)
}

// at is the time by which leases and what is due are told.
func (w *Webhooks) at(ctx context.Context) (time.Time, error) { return w.o.Store.Time(ctx, w.o.Now()) }

// again puts work off.
func (w *Webhooks) again(ctx context.Context, job store.Job, owner string, pause time.Duration, fault string) error {
	now, err := w.at(ctx)
	if err != nil {
		return err
	}
	_, err = w.o.Store.RepeatJob(ctx, job.ID, owner, now.Add(pause).UnixMicro(), fault)
	return err
}

// missed wakes work again for what was recorded while a turn of it was under way: nobody
// could wake it then.
func (w *Webhooks) missed(ctx context.Context, waits string, began ledger.Position) error {
	if waits == "" {
		return nil
	}
	entries, err := w.o.Records.Find(ctx, ledger.Query{Subject: verdict.Digest(waits), At: ledger.Now, From: int64(began), Limit: mostFollowed})
	if err != nil {
		return err
	}
	return w.wake(ctx, entries)
}

// load reads what the job is about; nil when there is nothing to do for it.
func (w *Webhooks) load(ctx context.Context, job store.Job) (*working, error) {
	d := &working{w: w}
	parts := strings.SplitN(job.ID, "/", 3) // as store.Delivery.JobID made it
	if len(parts) != 3 {
		return nil, nil
	}
	source, id, found := parts[1], parts[2], false
	err := w.o.Store.View(ctx, func(v *store.View) (err error) {
		d.kept, found, err = v.Delivery(ctx, source, id)
		return err
	})
	if err != nil || !found || d.kept.State != store.DeliveryWaiting {
		return nil, err
	}
	d.source = w.o.Sources[source]
	if json.Unmarshal([]byte(d.kept.Progress), &d.progress) != nil {
		d.progress = progress{Turns: job.Attempts - 1}
	}
	return d, nil
}

// try does one turn. A panic over a delivery is a fault of that delivery.
func (d *working) try(ctx context.Context) (t turn, err error) {
	defer func() {
		if p := recover(); p != nil {
			d.w.o.Logger.Error("a defect in Verdict", "delivery", d.kept.JobID(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("a defect in Verdict: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, deliveryTurn)
	defer cancel()
	if d.source.Hook == nil {
		return turn{}, &verdict.Error{Code: verdict.CodeNotFound, What: fmt.Sprintf("no forge is called %q any more", d.kept.Source), Remedy: "put its entry back into the file that --forges names"}
	}
	if err := json.Unmarshal([]byte(d.kept.Event), &d.event); err != nil {
		return turn{}, &verdict.Error{Code: verdict.CodeInvalid, What: "the event as it was stored cannot be read", Remedy: "let the forge deliver it again", Err: err}
	}
	if d.event.Token, err = unseal(d.source.Seal, d.kept.JobID(), d.kept.Sealed); err != nil {
		return turn{}, &verdict.Error{Code: verdict.CodeInvalid, What: "the delivery cannot be answered", Remedy: "run the check again", Err: err}
	}
	if d.event.Kind == forge.Deploys {
		return d.deploy(ctx)
	}
	return d.show(ctx)
}

// failed puts the work off, or gives it up where it cannot go better or did not for too long.
// Whoever waits for an answer is told then, and that it is no yes.
func (d *working) failed(ctx context.Context, job store.Job, owner string, fault error) error {
	d.progress.Faults++
	code := verdict.AsError(fault).Code
	hopeless := code == verdict.CodeInvalid || code == verdict.CodeNotFound || code == verdict.CodeConflict || code == verdict.CodeUsage || code == verdict.CodeLimit
	d.w.o.Logger.Warn("the work for a delivery failed", "delivery", d.kept.JobID(), "event", d.kept.Name, "faults", d.progress.Faults, "error", fault.Error())
	if hopeless || d.progress.Faults >= mostFaults {
		d.giveUp(ctx, fault)
		return d.end(ctx, job, owner, store.DeliveryFailed, fault.Error())
	}
	pause := min(15*time.Second<<(d.progress.Faults-1), longestPause)
	var t *forge.Throttle
	if errors.As(fault, &t) {
		pause = max(pause, min(t.For, longestPause))
	}
	if d.event.Kind == forge.Deploys && d.source.Hook != nil {
		e := verdict.AsError(fault)
		if err := d.tellWaiting(ctx, "Verdict cannot answer yet, and tries again: "+e.What+". "+e.Remedy); err != nil {
			d.w.o.Logger.Warn("nobody could be told that the answer takes longer", "delivery", d.kept.JobID(), "error", err.Error())
		}
	}
	d.kept.Told = forge.Clip("tried again later: "+fault.Error(), 500)
	if err := d.save(ctx); err != nil {
		return err
	}
	return d.w.again(ctx, job, owner, pause, forge.Clip(fault.Error(), 500))
}

// giveUp tells whoever waits that there is no answer, as far as he can be reached.
func (d *working) giveUp(ctx context.Context, fault error) {
	if d.event.Kind != forge.Deploys && d.event.Kind != forge.Asked || d.source.Hook == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	e := verdict.AsError(fault)
	err := d.source.Hook.Answer(ctx, d.event, forge.Answer{Outcome: verdict.Undecided, Comment: "Verdict could not decide: " + e.What + ". " + e.Remedy})
	if err != nil {
		d.w.o.Logger.Warn("nobody could be told that there is no answer", "delivery", d.kept.JobID(), "error", err.Error())
	}
}

// end closes a delivery. Its secret goes with it.
func (d *working) end(ctx context.Context, job store.Job, owner, state, told string) error {
	d.kept.State, d.kept.Told, d.kept.Sealed, d.kept.Waits = state, forge.Clip(told, 500), nil, ""
	if err := d.save(ctx); err != nil {
		return err
	}
	_, err := d.w.o.Store.FinishJob(ctx, job.ID, owner)
	return err
}

func (d *working) save(ctx context.Context) error {
	text, err := json.Marshal(d.progress)
	if err != nil {
		return err
	}
	d.kept.Progress = string(text)
	return d.w.o.Store.KeepDelivery(ctx, d.kept)
}
