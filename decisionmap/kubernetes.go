package decisionmap

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Cluster is what of a Kubernetes cluster belongs to an environment.
type Cluster struct {
	Cluster string `json:"cluster"` // the name under which the cluster asks: /admission/NAME
	// Namespaces by their names; All alone stands for each that the cluster has.
	Namespaces []string `json:"namespaces"`
}

// What admission does with a namespace that no environment claims.
const (
	UnmappedDeny   = "deny"
	UnmappedIgnore = "ignore" // let in, and neither told nor recorded
)

// What admission does when it does not know what was decided last.
const (
	FailClosed = "closed"
	FailOpen   = "open"
)

// Admission says what admission does where no environment says it.
type Admission struct {
	// Unmapped is UnmappedDeny or UnmappedIgnore; empty: what runs in a namespace that no
	// environment claims is let in with a warning, and recorded.
	Unmapped string `json:"unmapped,omitempty"`
}

// FailsOpen reports whether admission lets in what it cannot tell anything about.
func (e Environment) FailsOpen() bool { return e.AdmissionFail == FailOpen }

// Placed lists the environments that claim a namespace of a cluster, sorted. More than one
// means that nobody can say where something would run: VD-G07.
func (m *Map) Placed(cluster, namespace string) []string {
	var out []string
	for name, e := range m.Environments {
		if slices.ContainsFunc(e.Kubernetes, func(c Cluster) bool { return c.Cluster == cluster && listed(c.Namespaces, namespace) }) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// AdmissionPoint is the point at which a cluster asks.
func (m *Map) AdmissionPoint() (Point, bool) {
	i := slices.IndexFunc(m.Points, isAdmission)
	if i < 0 {
		return Point{}, false
	}
	return m.Points[i], true
}

// PromotionPoint is the point that leaves the promotions on which admission rests.
func (m *Map) PromotionPoint() (Point, bool) {
	i := slices.IndexFunc(m.Points, func(p Point) bool { return p.Produces.Kind == "promotion" })
	if i < 0 {
		return Point{}, false
	}
	return m.Points[i], true
}

func (r *reader) admission(into *Admission) field {
	return func(n *yaml.Node, at string) {
		r.object(n, at, "{unmapped: deny}", map[string]field{"unmapped": r.oneOf(&into.Unmapped, UnmappedDeny, UnmappedIgnore)})
	}
}

const exampleCluster = "{cluster: aks-prod, namespaces: [payments]}"

func (r *reader) clusters(into *[]Cluster) field {
	return func(n *yaml.Node, at string) {
		list, ok := r.list(n, at, exampleCluster)
		if !ok {
			return
		}
		out := []Cluster{}
		for i, item := range list {
			var c Cluster
			r.cluster(item, fmt.Sprintf("%s[%d]", at, i), &c)
			out = append(out, c)
		}
		*into = out
	}
}

func (r *reader) cluster(n *yaml.Node, at string, c *Cluster) {
	r.object(n, at, exampleCluster, map[string]field{
		"cluster": r.text(&c.Cluster, "aks-prod"), "namespaces": r.words(&c.Namespaces, "payments"),
	})
	if n.Kind != yaml.MappingNode {
		return
	}
	switch {
	case !validID(c.Cluster):
		r.fail(n, fmt.Sprintf("%s names the cluster %q; a name is lower-case letters, digits, dots, dashes and underscores, at most 100", at, clip(c.Cluster)), "add `cluster:` with the name that its webhook asks under, for example aks-prod")
	case len(c.Namespaces) == 0:
		r.fail(n, at+" names no namespace", `add `+"`namespaces:`"+` with their names, or ["*"] for each that the cluster has`)
	case len(c.Namespaces) > 1 && slices.Contains(c.Namespaces, All):
		r.fail(n, at+`.namespaces names "*" beside others`, `write ["*"] alone, or the names alone`)
	}
	for _, name := range c.Namespaces {
		if name != All && name != "" && !namespaceName(name) {
			r.fail(n, fmt.Sprintf("%s.namespaces names %q, which no namespace can be called", at, clip(name)), `write each name in full (lower-case letters, digits and dashes, at most 63), or ["*"] alone`)
		}
	}
}

// namespaceName reports whether a namespace can have the name: a label of RFC 1123.
func namespaceName(s string) bool {
	return len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && strings.Trim(s, "-") == s
}

func oneNamespaceOneEnvironment(l *linter) { // VD-G07
	claims := map[string]string{} // cluster/namespace → who has it; cluster → who has the last part of it
	for _, name := range slices.Sorted(maps.Keys(l.Environments)) {
		for i, c := range l.Environments[name].Kubernetes {
			if other, namespace := l.claimedBefore(claims, name, c); other != "" {
				l.found(fmt.Sprintf("environments.%s.kubernetes[%d]", name, i), fmt.Sprintf("%s and %s both claim %s of the cluster %s", other, name, namespace, c.Cluster), "leave it with one of them: what runs in a namespace is judged by one environment")
			}
		}
	}
}

// claimedBefore gives the environment that claims a part of c already, and takes the claim
// of this one down where none does.
func (l *linter) claimedBefore(claims map[string]string, name string, c Cluster) (other, namespace string) {
	for _, n := range c.Namespaces {
		taken := []string{c.Cluster + "/" + n, c.Cluster + "/" + All}
		if n == All {
			taken = append(taken, c.Cluster)
		}
		for _, place := range taken {
			if by, found := claims[place]; found && by != name {
				return by, quoted(n)
			}
		}
	}
	claims[c.Cluster] = name
	for _, n := range c.Namespaces {
		claims[c.Cluster+"/"+n] = name
	}
	return "", ""
}

// clusters compares who claims which namespaces. To claim one is neither stricter nor weaker:
// it decides by what another environment asks there.
func (d *differ) clusters(path string, old, new []Cluster) {
	flat := func(list []Cluster) (out []string) {
		for _, c := range list {
			for _, n := range c.Namespaces {
				out = append(out, c.Cluster+"/"+n)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	d.words(path, flat(old), flat(new), Changes)
}

func (d *differ) admission(old, new Admission) {
	// What nobody says lets in as ignoring does, and tells it: it stands between the two.
	place := map[string]int{UnmappedIgnore: 0, "": 1, UnmappedDeny: 2}
	e := Tightens
	if place[new.Unmapped] < place[old.Unmapped] {
		e = Loosens
	}
	d.text("admission.unmapped", old.Unmapped, new.Unmapped, e)
}

func (d *differ) admissionFail(path string, old, new Environment) {
	e := Tightens
	if new.FailsOpen() {
		e = Loosens
	}
	if old.FailsOpen() == new.FailsOpen() {
		e = Safe // closed is what holds where nothing is said
	}
	d.text(path, old.AdmissionFail, new.AdmissionFail, e)
}
