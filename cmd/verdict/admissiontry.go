package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict"
	"verdict/deploy/admission"
	"verdict/report"
)

// admissionTrial is one run of admission try.
type admissionTrial struct {
	cluster, namespace, user string
}

// admissionTried is the document verdict.admission-try/v1.
type admissionTried struct {
	Schema  string              `json:"schema"`
	Map     string              `json:"map"`
	Answers []*admission.Answer `json:"answers"` // one for each object, in the order of the file
}

func admissionTryCommand() command {
	return command{
		use: "try FILE", short: "Tell how a cluster would be answered about what a file would run",
		long: aboutAdmission + "\n\nFILE holds objects of Kubernetes as YAML or JSON, or the AdmissionReview that an API server sent; - reads standard input. Each object is judged as if it were made now, from the local ledger, or the server's with --server, and by the map that a gate here would judge by. Nothing is recorded, and no cluster is needed.\n\n" +
			"Ends with 0 when all of it would be let in, with 3 when something would be denied, and with 1 when that cannot be told.",
		example: "verdict admission try deployment.yaml --cluster aks-prod\nhelm template shop | verdict admission try - --cluster aks-prod --namespace shop -o json",
		args:    exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			x := &admissionTrial{}
			f.text(&x.cluster, "cluster", "NAME", "the cluster, by its name in the map; default: the only one that the map names")
			f.text(&x.namespace, "namespace", "NAME", "of objects that name none; default: default")
			f.text(&x.user, "user", "NAME", "who would ask, by the name that the cluster knows")
			return x.run
		},
	}
}

// maxTrial bounds a file of objects, in bytes.
const maxTrial = 16 << 20

func (x *admissionTrial) run(ctx context.Context, a *app, args []string) error {
	content, err := a.readInput(args[0], "the objects", maxTrial)
	if err != nil {
		return err
	}
	requests, err := x.requests(content, maxObjects)
	if err != nil {
		return err
	}
	return x.answer(ctx, a, requests)
}

// answer tells how the cluster would be answered.
func (x *admissionTrial) answer(ctx context.Context, a *app, requests []*admission.Request) error {
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	judged, err := w.judgedHere(ctx)
	if err != nil {
		return err
	}
	if x.cluster, err = clusterIn(judged, x.cluster); err != nil {
		return err
	}
	at, err := w.tries(judged, requests)
	if err != nil {
		return err
	}
	if err := at.CatchUp(ctx); err != nil {
		return err
	}
	doc := admissionTried{Schema: "verdict.admission-try/v1", Map: judged.From}
	code := 0
	for _, r := range requests {
		answer, err := at.Answer(x.cluster, r)
		if err != nil {
			return err
		}
		if exits := answer.Exit(); code == 0 || exits == verdict.CodeRefused.Exit() {
			code = exits
		}
		doc.Answers = append(doc.Answers, answer)
	}
	if err := a.emit(doc, func(report.Style) string { return doc.text() }); err != nil || code == 0 {
		return err
	}
	return exit(code)
}

// maxTried bounds the images that a server looks up for one question.
const maxTried = 500

// tries makes what answers the requests: from the local ledger, or from what the server's
// says of the images that they name, to whom it may.
func (w *workspace) tries(judged judgedBy, requests []*admission.Request) (*admission.Admission, error) {
	otherwise := func(context.Context) (judgedBy, error) { return judged, nil }
	if w.own != nil && w.app.hosted == nil {
		return w.admits(otherwise, false)
	}
	digests, names, err := admission.Named(requests)
	if err != nil {
		return nil, err
	}
	if w.app.hosted != nil && len(digests)+len(names) > maxTried {
		return nil, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("the objects name %d images, and %d are looked up at once", len(digests)+len(names), maxTried), Remedy: "ask about fewer objects at once"}
	}
	return w.admitsFrom(namedLog{w.ledger, digests, names}, otherwise, false)
}

// clusterIn is the cluster that is meant: the one that is named, or the only one of the map.
func clusterIn(judged judgedBy, named string) (string, error) {
	known := map[string]bool{}
	for _, e := range judged.Map.Environments {
		for _, c := range e.Kubernetes {
			known[c.Cluster] = true
		}
	}
	switch {
	case named != "":
		return named, nil
	case len(known) == 1:
		for name := range known {
			return name, nil
		}
	case len(known) == 0:
		return "", &verdict.Error{Code: verdict.CodeNotFound, What: judged.From + " names no cluster", Remedy: "add to an environment: kubernetes: [{cluster: NAME, namespaces: [NAME]}]"}
	}
	return "", usage("verdict admission try --help", fmt.Sprintf("%s names %d clusters", judged.From, len(known)), "say which one asks: --cluster NAME")
}

const (
	maxObjects = 10_000 // of a file here
	maxAsked   = 1_000  // of a question to a server
	maxDeep    = 100    // levels of an object
)

// requests reads the objects of a file, at most so many, as requests to make them.
func (x *admissionTrial) requests(content []byte, most int) (out []*admission.Request, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var object any
		if err := dec.Decode(&object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, notObjects(fmt.Errorf("document %d: %w", len(out)+1, err))
		}
		if object == nil {
			continue
		}
		if room := maxTrial; !fits(object, &room, maxDeep) {
			return nil, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("document %d is nested more than %d levels deep, or is larger than 16 MiB with its aliases written out", len(out)+1, maxDeep), Remedy: "give the objects as kubectl get -o yaml prints them"}
		}
		raw, err := json.Marshal(object)
		if err != nil {
			return nil, notObjects(fmt.Errorf("document %d: %w", len(out)+1, err))
		}
		r, err := x.request(raw, len(out)+1)
		if err != nil {
			return nil, err
		}
		if out = append(out, r); len(out) > most {
			return nil, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("the file holds more than %d objects", most), Remedy: "divide it"}
		}
	}
	if len(out) == 0 {
		return nil, notObjects(nil)
	}
	return out, nil
}

// fits reports whether a value of YAML takes at most room bytes and so many levels. Its aliases are
// shared in memory, and written out in JSON: a file of a few lines could be as large as one likes.
func fits(v any, room *int, levels int) bool {
	*room -= 8
	if levels == 0 || *room < 0 {
		return false
	}
	switch v := v.(type) {
	case string:
		*room -= len(v)
	case []any:
		for _, x := range v {
			if !fits(x, room, levels-1) {
				return false
			}
		}
	case map[string]any:
		for name, x := range v {
			if *room -= len(name); !fits(x, room, levels-1) {
				return false
			}
		}
	}
	return *room >= 0
}

func notObjects(err error) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: "the file holds no objects of Kubernetes", Remedy: "give what kubectl apply -f would take, as YAML or JSON", Err: err}
}

func (x *admissionTrial) request(raw []byte, n int) (*admission.Request, error) {
	var o struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &o); err != nil || o.Kind == "" || o.APIVersion == "" {
		return nil, notObjects(fmt.Errorf("document %d has no apiVersion and kind", n))
	}
	if o.Kind == "AdmissionReview" {
		return admission.ReadReview(raw)
	}
	group, version, grouped := strings.Cut(o.APIVersion, "/")
	if !grouped {
		group, version = "", o.APIVersion
	}
	return &admission.Request{
		UID: "try", Operation: "CREATE", Kind: admission.GroupKind{Group: group, Version: version, Kind: o.Kind}, Name: o.Metadata.Name,
		Namespace: cmp.Or(o.Metadata.Namespace, x.namespace, "default"), UserInfo: admission.UserInfo{Username: x.user}, Object: raw,
	}, nil
}

func (d admissionTried) text() string {
	var b strings.Builder
	for _, a := range d.Answers {
		what := report.Neutral(cmp.Or(a.Object, "an object"))
		where := "a namespace that no environment claims"
		if a.Environment != "" {
			where = a.Environment
		}
		switch {
		case a.Answer != "judged":
			fmt.Fprintf(&b, "– NOT ASKED ABOUT  %s: it would run nothing that anybody is asked about\n", what)
			continue
		case !a.Allowed:
			fmt.Fprintf(&b, "✗ DENIED  %s in %s (%s/%s), mode %s\n", what, where, report.Neutral(a.Cluster), report.Neutral(a.Namespace), a.Mode)
		case a.Outcome != verdict.Allow:
			fmt.Fprintf(&b, "! LET IN  %s in %s (%s/%s), because the mode is %s\n", what, where, report.Neutral(a.Cluster), report.Neutral(a.Namespace), a.Mode)
		default:
			fmt.Fprintf(&b, "✓ LET IN  %s in %s (%s/%s), mode %s\n", what, where, report.Neutral(a.Cluster), report.Neutral(a.Namespace), a.Mode)
		}
		for _, f := range a.Findings {
			fmt.Fprintf(&b, "  %s  %s\n    %s", report.Neutral(f.Path), report.Neutral(f.Image), report.Neutral(f.Message))
			if f.Decision != "" {
				fmt.Fprintf(&b, " (%s)", f.Decision)
			}
			b.WriteString("\n")
			if f.Remedy != "" {
				fmt.Fprintf(&b, "    fix: %s\n", report.Neutral(f.Remedy))
			}
		}
	}
	if len(d.Answers) > 0 {
		fmt.Fprintf(&b, "judged by %s, from the log of %s\n", d.Map, plural(int(d.Answers[0].Position), "entry", "entries"))
	}
	return b.String()
}
