//go:build !windows

package evidence

import (
	"io/fs"
	"testing"
)

// A secret that an orchestrator mounts for a process without rights is root's, and readable
// by the group of that process. Nobody else's key may be read by more than its owner.
func TestWhoElseMayReadAKey(t *testing.T) {
	const root, me, other = 0, 65532, 1000
	for _, c := range []struct {
		name        string
		self, owner int
		mode        fs.FileMode
		want        bool
	}{
		{"my own, mine alone", me, me, 0o600, true},
		{"my own, and my group reads it", me, me, 0o640, false},
		{"a mounted secret", me, root, 0o440, true},
		{"a mounted secret that all may read", me, root, 0o444, false},
		{"a mounted secret that a group may change", me, root, 0o460, false},
		{"that of another user, and a group reads it", me, other, 0o440, false},
		{"root's, read by root, and a group reads it", root, root, 0o440, false},
		{"whose owner nobody knows", me, -1, 0o440, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := privateTo(c.self, c.owner, c.mode); got != c.want {
				t.Errorf("%v", got)
			}
		})
	}
}
