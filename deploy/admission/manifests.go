package admission

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
)

// Excluded are the namespaces of a cluster itself, which no environment is asked about: where
// admission stopped them, the cluster could not mend itself.
var Excluded = []string{"kube-node-lease", "kube-public", "kube-system"}

// Manifests is what a cluster is configured with.
type Manifests struct {
	Map     *decisionmap.Map
	Cluster string
	URL     string // of the endpoint, without the path: https://verdict.example
	CA      []byte // certificates in PEM that clusters trust with it
	// Also are resources beside those that every cluster has, whose objects hold pod
	// templates, as RESOURCE.GROUP: rollouts.argoproj.io.
	Also   []string
	Exempt []string // namespaces beside Excluded, such as that of Verdict itself
	At     time.Time
}

// The names of what is written.
const (
	configurationName = "verdict-admission"
	floorName         = "verdict-digests-only"
)

// webhookDomain is what the names of the webhooks end in, and under which an audit log has
// their annotations.
var webhookDomain = "admission." + strings.TrimPrefix(evidence.DefaultBase, "https://")

// timeoutSeconds is how long an API server waits for an answer: a thousand times what one
// takes, and little enough that a rollout does not seem to hang.
const timeoutSeconds = 3

type object = map[string]any

// Write writes the configuration: a webhook for each way in which environments fail, and the
// floor that the API server holds by itself, also while the endpoint is down. It is a stream
// of JSON documents in YAML, which kubectl apply -f takes.
func (m Manifests) Write(w io.Writer) error {
	groups := m.groups()
	if len(groups) == 0 {
		return &verdict.Error{
			Code: verdict.CodeNotFound, What: "no environment of the map names the cluster " + m.Cluster,
			Remedy: fmt.Sprintf("add to the environments that it belongs to: kubernetes: [{cluster: %s, namespaces: [NAME]}]", m.Cluster),
		}
	}
	rules, err := m.rules()
	if err != nil {
		return err
	}
	var hooks []any
	documents := []document{{}, {"The floor that the API server holds by itself: images are named by their digest.", m.floor(rules)}}
	for _, g := range groups {
		hooks = append(hooks, m.webhook(g, rules))
		documents = append(documents, document{"The floor in " + g.where() + ".", m.binding(g)})
	}
	documents[0] = document{
		"Whom the API server asks, with one webhook for each way to fail.",
		object{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": object{"name": configurationName}, "webhooks": hooks},
	}
	fmt.Fprintf(w, "# The cluster %s asks %s whether what it would run was promoted. From the map %s,\n# in mode %s. Print it again when the map changes what it says of this cluster, or that mode.\n", m.Cluster, m.URL, m.Map.Digest().Short(), m.mode())
	for _, d := range documents {
		b, err := json.MarshalIndent(d.content, "", "  ")
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "---\n# %s\n%s\n", d.about, b); err != nil {
			return err
		}
	}
	return nil
}

// document is one object for the cluster, with a line about it.
type document struct {
	about   string
	content any
}

// group is the namespaces of a cluster that fail alike.
type group struct {
	name     string // a label: closed, open, unmapped
	closed   bool
	operator string // In or NotIn
	spaces   []string
}

// where names the namespaces for people.
func (g group) where() string {
	if g.operator == "NotIn" {
		return "every namespace but " + strings.Join(g.spaces, ", ")
	}
	return strings.Join(g.spaces, ", ")
}

func (g group) selector() object {
	return object{"matchExpressions": []any{object{"key": "kubernetes.io/metadata.name", "operator": g.operator, "values": g.spaces}}}
}

// Summary says in a few lines what Write writes.
func (m Manifests) Summary() (lines []string) {
	for _, g := range m.groups() {
		fails := "open: while nobody answers, what names a digest goes in"
		switch {
		case g.closed:
			fails = "closed: while nobody answers, nothing new starts there"
		case m.mode() != verdict.ModeBlock:
			fails = "open, as the mode " + string(m.mode()) + " holds nothing back"
		}
		lines = append(lines, g.where()+": fails "+fails)
	}
	return lines
}

func (m Manifests) mode() verdict.Mode {
	p, _ := m.Map.AdmissionPoint()
	return p.ModeAt(m.At)
}

// groups divides the namespaces by how they fail. Only a point that blocks fails closed.
func (m Manifests) groups() (out []group) {
	named := map[bool][]string{}
	all := map[bool]bool{}
	var taken []string
	known := false
	for _, e := range slices.Sorted(maps.Keys(m.Map.Environments)) {
		env := m.Map.Environments[e]
		for _, c := range env.Kubernetes {
			if c.Cluster != m.Cluster {
				continue
			}
			known = true
			if closed := !env.FailsOpen(); c.Namespaces[0] == decisionmap.All {
				all[closed] = true
			} else {
				list := slices.DeleteFunc(slices.Clone(c.Namespaces), func(n string) bool { return slices.Contains(Excluded, n) || slices.Contains(m.Exempt, n) })
				named[closed] = append(named[closed], list...)
				taken = append(taken, list...)
			}
		}
	}
	if !known {
		return nil
	}
	blocks := m.mode() == verdict.ModeBlock
	for _, closed := range []bool{true, false} {
		name := map[bool]string{true: "closed", false: "open"}[closed]
		if list := unique(named[closed]); len(list) > 0 {
			out = append(out, group{name, closed && blocks, "In", list})
		}
		if all[closed] {
			out = append(out, group{"rest-" + name, closed && blocks, "NotIn", m.outside(taken)})
		}
	}
	if unmapped := m.Map.Admission.Unmapped; !all[true] && !all[false] && unmapped != decisionmap.UnmappedIgnore {
		out = append(out, group{"unmapped", unmapped == decisionmap.UnmappedDeny && blocks, "NotIn", m.outside(taken)})
	}
	return out
}

// outside lists the namespaces that the rest of a cluster is without.
func (m Manifests) outside(taken []string) []string {
	return unique(slices.Concat(taken, Excluded, m.Exempt))
}

func unique(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// rules are the kinds of every cluster that run images, and those that were named.
func (m Manifests) rules() ([]any, error) {
	rule := func(group, version string, operations []string, resources ...string) any {
		return object{"apiGroups": []string{group}, "apiVersions": []string{version}, "operations": operations, "resources": resources, "scope": "Namespaced"}
	}
	both := []string{"CREATE", "UPDATE"}
	out := []any{
		rule("", "v1", both, "pods", "replicationcontrollers", "podtemplates"), rule("", "v1", []string{"UPDATE"}, "pods/ephemeralcontainers"),
		rule("apps", "v1", both, "deployments", "statefulsets", "daemonsets", "replicasets"), rule("batch", "v1", both, "jobs", "cronjobs"),
	}
	for _, r := range m.Also {
		resource, group, ok := strings.Cut(r, ".")
		if !ok || resource == "" || group == "" {
			return nil, &verdict.Error{Code: verdict.CodeUsage, What: fmt.Sprintf("%.100q is no resource of a group", r), Remedy: "write it as RESOURCE.GROUP, such as rollouts.argoproj.io"}
		}
		out = append(out, rule(group, "*", both, resource))
	}
	return out, nil
}

// changed passes over updates that leave the specification as it was, such as that of a
// label: most updates of a cluster are of that sort.
var changed = object{
	"name":       "what-runs-may-have-changed",
	"expression": `request.operation != "UPDATE" || !has(object.spec) || !has(oldObject.spec) || object.spec != oldObject.spec`,
}

func (m Manifests) webhook(g group, rules []any) any {
	policy := "Ignore"
	if g.closed {
		policy = "Fail"
	}
	return object{
		"name": g.name + "." + webhookDomain, "failurePolicy": policy, "timeoutSeconds": timeoutSeconds, "sideEffects": "NoneOnDryRun",
		"admissionReviewVersions": []string{"v1"}, "matchPolicy": "Equivalent", "namespaceSelector": g.selector(), "rules": rules, "matchConditions": []any{changed},
		"clientConfig": object{"url": strings.TrimSuffix(m.URL, "/") + pathPrefix + m.Cluster, "caBundle": base64.StdEncoding.EncodeToString(m.CA)},
	}
}

// podSpec is where the kinds of a cluster keep what a pod would be, in CEL. Of a kind that is
// none of them, the template is looked for where most have it.
const podSpec = `object.kind == "Pod" ? object.spec : ` +
	`object.kind == "CronJob" ? object.spec.jobTemplate.spec.template.spec : ` +
	`object.kind == "PodTemplate" ? object.template.spec : ` +
	`has(object.spec) && has(object.spec.template) && has(object.spec.template.spec) ? object.spec.template.spec : {"containers": []}`

const podImages = `(has(variables.pod.containers) ? variables.pod.containers.map(c, has(c.image) ? c.image : "") : []) + ` +
	`(has(variables.pod.initContainers) ? variables.pod.initContainers.map(c, has(c.image) ? c.image : "") : []) + ` +
	`(has(variables.pod.ephemeralContainers) ? variables.pod.ephemeralContainers.map(c, has(c.image) ? c.image : "") : []) + ` +
	`(has(variables.pod.volumes) ? variables.pod.volumes.filter(v, has(v.image)).map(v, has(v.image.reference) ? v.image.reference : "") : [])`

// floor is the policy that the API server holds by itself: images are named by their digest.
func (m Manifests) floor(rules []any) any {
	return object{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": object{"name": floorName},
		"spec": object{
			"failurePolicy": "Fail", "matchConstraints": object{"matchPolicy": "Equivalent", "resourceRules": rules}, "matchConditions": []any{changed},
			"variables": []any{object{"name": "pod", "expression": podSpec}, object{"name": "images", "expression": podImages}},
			"validations": []any{object{
				"expression":        `variables.images.all(i, i.matches("@sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$"))`,
				"messageExpression": `"verdict: name images by their digest (NAME@sha256:...): " + variables.images.filter(i, !i.matches("@sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$")).join(", ") + "; verdict admission try FILE names the digest to use"`,
				"reason":            "Forbidden",
			}},
		},
	}
}

// binding has the floor hold where the webhook is asked, as far as the mode goes. An API
// server asks its own policies first: where the endpoint fails closed they only take note, so
// that who is refused a tag hears from the endpoint which digest to use.
func (m Manifests) binding(g group) any {
	actions := []string{"Audit"}
	told := g.name == "unmapped" && m.Map.Admission.Unmapped != decisionmap.UnmappedDeny
	switch {
	case m.mode() == verdict.ModeBlock && !g.closed && !told:
		actions = []string{"Deny"}
	case m.mode() != verdict.ModeObserve && !g.closed:
		actions = []string{"Warn", "Audit"}
	}
	return object{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": object{"name": floorName + "-" + g.name},
		"spec": object{"policyName": floorName, "validationActions": actions, "matchResources": object{"namespaceSelector": g.selector()}},
	}
}
