package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"

	"verdict"
)

// Query asks a bundle: what do these rules say of this input at this time?
type Query struct {
	Rules []string // ids; each of them is active and has to report
	Input *Input   // normalised
	At    time.Time
	// Trace receives the engine's steps, for the explanation of a replay; nil otherwise,
	// because tracing costs many times the evaluation.
	Trace io.Writer
}

// Evaluation is what the rules said. Each rule of the query is in exactly one place: it
// has a result, or it is silent, or a fault names it.
type Evaluation struct {
	Results []Result // in the order of the query
	// Silent are active rules that reported nothing. They are not passes.
	Silent []string
	Faults []verdict.Fault // what kept a rule from reporting

	lost bool // the rules run on, and what they write must not be read
}

// Result is what one rule reported.
type Result struct {
	Rule     verdict.Rule
	Status   verdict.RuleStatus
	Message  string
	Observed string // text as it is, anything else as canonical JSON
	Expected string
	Items    []verdict.Item // sorted by key; never nil
}

// The codes of faults.
const (
	FaultSteps    = "policy.steps"    // the rules took more steps than a decision may
	FaultDeadline = "policy.deadline" // the rules took longer than a decision may, or than its caller waited
	FaultConflict = "policy.conflict" // a rule has two values at once
	FaultBuiltin  = "policy.builtin"  // a builtin refused its arguments
	FaultResult   = "policy.result"   // the rule returned something that is no result
	FaultLayer    = "policy.layer"    // the rule reads what the point's layer does not have
	FaultEngine   = "policy.engine"   // anything else in the engine, a panic included
)

// resultVar is the variable of a rule's query.
const resultVar = "result"

// Evaluate runs the rules. A rule that cannot be evaluated is a Fault and never a pass.
// The error is for a query that cannot be asked: an unknown rule, an input that is too
// large or holds groups that its layer may not see, or ctx done while waiting for a core.
func (b *Bundle) Evaluate(ctx context.Context, q Query) (*Evaluation, error) {
	rules, err := b.active(q)
	if err != nil {
		return nil, err
	}
	input, err := q.Input.value(b.limits.InputBytes)
	if err != nil {
		return nil, err
	}
	if groups := q.Input.hidden(); len(groups) > 0 {
		return nil, &verdict.Error{Code: verdict.CodeInternal, Remedy: "build the document with Input.ForLayer",
			What: fmt.Sprintf("the input for layer %q holds %v, which this layer may not see", q.Input.Decision.Layer, groups)}
	}
	r := b.newRun(input, q.Input.Decision.Layer, q.At)
	if q.Trace != nil {
		r.trace = &bytes.Buffer{}
	}
	e, err := r.bounded(ctx, rules)
	if err != nil {
		return nil, err
	}
	if q.Trace != nil && !e.lost {
		if _, err := r.trace.WriteTo(q.Trace); err != nil {
			return nil, fmt.Errorf("write the trace of the rules: %w", err)
		}
	}
	return e, nil
}

func (b *Bundle) active(q Query) ([]*rule, error) {
	if b.inspect {
		return nil, &verdict.Error{Code: verdict.CodeInternal, What: "a bundle for inspection decides nothing",
			Remedy: "compile the rules without Inspect"}
	}
	rules := make([]*rule, len(q.Rules))
	for i, id := range q.Rules {
		if rules[i] = b.byID[id]; rules[i] == nil {
			return nil, b.unknown(id)
		}
	}
	return rules, nil
}

// run is one evaluation under way. Its rules share the cache of what helpers returned.
type run struct {
	*Bundle
	input  *ast.Term
	layer  verdict.Layer
	at     time.Time
	budget *budget
	// processor is the processor time that the process has used; false where nobody knows.
	processor func() (time.Duration, bool)
	cache     topdown.VirtualCache
	indexed   bool
	trace     *bytes.Buffer
	watch     topdown.QueryTracer // sees what runs, for coverage
}

func (b *Bundle) newRun(input *ast.Term, l verdict.Layer, at time.Time) *run {
	return &run{Bundle: b, input: input, layer: l, at: at, indexed: true,
		processor: processTime, budget: &budget{left: b.limits.Steps}, cache: topdown.NewVirtualCache()}
}

func (r *run) all(ctx context.Context, rules []*rule) *Evaluation {
	out := &Evaluation{Results: make([]Result, 0, len(rules)), Silent: []string{}, Faults: []verdict.Fault{}}
	for _, x := range rules {
		res, fault := r.one(ctx, x)
		switch {
		case fault != nil:
			out.Faults = append(out.Faults, *fault)
		case res == nil:
			out.Silent = append(out.Silent, x.ID)
		default:
			out.Results = append(out.Results, *res)
		}
	}
	return out
}

// one asks one rule: a result, a fault, or neither when the rule is silent.
func (r *run) one(ctx context.Context, x *rule) (res *Result, fault *verdict.Fault) {
	defer func() {
		if p := recover(); p != nil {
			res, fault = nil, faultOf(x, FaultEngine, fmt.Sprintf("the engine stopped on it: %v", p), "report it with the decision's id; replay shows it again")
			r.cache = topdown.NewVirtualCache()
		}
	}()
	if !r.layer.SeesEnvironment() && len(x.hidden) > 0 {
		e := hiddenRead(x, r.layer)
		return nil, &verdict.Fault{Code: FaultLayer, Rule: x.ID, What: e.What, Remedy: e.Remedy}
	}
	v, err := r.eval(ctx, x)
	if err != nil {
		r.cache = topdown.NewVirtualCache() // an aborted query may have left frames on it
		return nil, r.faultOfError(x, err)
	}
	if x.Partial {
		return partialResult(x, v, r.limits.Items)
	}
	if v == nil {
		return nil, nil
	}
	return checkResult(x, v, r.limits.Items)
}

func (r *run) eval(ctx context.Context, x *rule) (ast.Value, error) {
	q := topdown.NewQuery(x.query).WithCompiler(r.compiler).WithQueryCompiler(x.compiler).
		WithInput(r.input).WithTime(r.at).WithCancel(r.budget).WithVirtualCache(r.cache).
		WithStrictBuiltinErrors(true).WithIndexing(r.indexed).WithStore(noData{}).WithSeed(noSeed{}).
		WithMetrics(metrics.NoOp()).WithBaseCache(noData{})
	if r.watch != nil {
		q = q.WithQueryTracer(r.watch)
	}
	var steps *tracer
	if r.trace != nil {
		steps = &tracer{}
		q = q.WithQueryTracer(steps)
	}
	var v ast.Value
	err := q.Iter(ctx, func(res topdown.QueryResult) error {
		v = res[ast.Var(resultVar)].Value
		return nil
	})
	if steps != nil {
		steps.write(r.trace, x)
	}
	return v, err
}

func (r *run) faultOfError(x *rule, err error) *verdict.Fault {
	var e *topdown.Error
	errors.As(err, &e)
	switch {
	case r.budget.ending() != notEnded || topdown.IsCancel(err):
		return r.overspent(x)
	case e != nil && e.Code == topdown.ConflictErr:
		return faultOf(x, FaultConflict, err.Error(), "make the conditions of its branches exclude each other, or join them with else")
	case e != nil && (e.Code == topdown.BuiltinErr || e.Code == topdown.TypeErr):
		return faultOf(x, FaultBuiltin, err.Error(), "test the value before the call, and report fail or skip where it does not fit")
	}
	return faultOf(x, FaultEngine, err.Error(), "correct the rule at this place")
}

func faultOf(x *rule, code, what, remedy string) *verdict.Fault {
	return &verdict.Fault{Code: code, Rule: x.ID, What: clip("rule "+x.ID+" at "+x.at+": "+what, maxText), Remedy: remedy}
}

// noData is the store beneath the rules: there is no data beside them.
type noData struct{ storage.Store }

func (noData) Read(_ context.Context, _ storage.Transaction, p storage.Path) (any, error) {
	return nil, &storage.Error{Code: storage.NotFoundErr, Message: p.String()}
}

// Get and Put make noData the cache of what is not there.
func (noData) Get(ast.Ref) ast.Value { return nil }

// Put forgets.
func (noData) Put(ast.Ref, ast.Value) {}

// noSeed refuses randomness; no allowed builtin asks for it.
type noSeed struct{}

func (noSeed) Read([]byte) (int, error) { return 0, errors.New("rules have no source of chance") }

// maxSteps bounds what a trace keeps of one rule.
const maxSteps = 20_000

// tracer keeps the first steps of a rule.
type tracer struct {
	steps []*topdown.Event
	lost  int
}

func (t *tracer) Enabled() bool { return true }

func (t *tracer) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

func (t *tracer) TraceEvent(e topdown.Event) {
	if len(t.steps) >= maxSteps {
		t.lost++
		return
	}
	t.steps = append(t.steps, &e)
}

func (t *tracer) write(w io.Writer, x *rule) {
	fmt.Fprintf(w, "%s (%s)\n", x.ID, x.at)
	topdown.PrettyTraceWithLocation(w, t.steps)
	if t.lost > 0 {
		fmt.Fprintf(w, "… and %d further steps\n", t.lost)
	}
}
