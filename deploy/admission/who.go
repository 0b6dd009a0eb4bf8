package admission

import (
	"slices"
	"strings"

	"verdict"
)

const (
	serviceAccount = "system:serviceaccount:"
	ofTheCluster   = serviceAccount + "kube-system:"
	controllers    = "system:kube-controller-manager"
)

// requester finds out who asks: the person of the map whose account it is, else the service
// account or component, else somebody whom nobody knows. A person's account is never told
// or recorded by its name: evidence stays, and names are erased.
func (s *set) requester(u UserInfo) *verdict.Requester {
	r := s.who(u.Username)
	if !r.Known && strings.HasPrefix(u.Username, "system:") {
		return &verdict.Requester{Person: u.Username, Kind: "workload", Teams: []string{}}
	}
	return r
}

// mayBreakGlass reports whether the map lets the one who asks declare an emergency.
func (s *set) mayBreakGlass(r *verdict.Requester) bool {
	b := s.m.BreakGlass
	return b != nil && r.Known && (slices.Contains(b.Who, r.Person) || slices.ContainsFunc(r.Teams, func(team string) bool { return slices.Contains(b.Who, team) }))
}

// controlled reports whether a controller of the cluster itself makes the object for one
// that was let in: a pod of a replica set, a job of a schedule. Whoever else names an owner
// could name any.
func controlled(r *Request, owner string) bool {
	return r.Operation == "CREATE" && owner != "" && (strings.HasPrefix(r.UserInfo.Username, ofTheCluster) || r.UserInfo.Username == controllers)
}
