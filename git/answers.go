package git

import (
	"context"
	"strings"
	"sync"
)

// answers keeps what git said of what cannot change while a command runs: the remotes,
// and trees and differences of commits that are named by their whole ids. Each question is
// a process of its own, which costs more than most answers.
type answers struct {
	mu    sync.Mutex // guards what follows
	known map[string][]byte
	bytes int
}

// maxAnswers bounds what is kept, in bytes.
const maxAnswers = 32 << 20

// once asks git, and the same again without git. The answer must not be changed.
func (r *Repo) once(ctx context.Context, dir string, c call) ([]byte, error) {
	key := dir + "\x00" + strings.Join(c.args, "\x00")
	r.answers.mu.Lock()
	out, known := r.answers.known[key]
	r.answers.mu.Unlock()
	if known {
		return out, nil
	}
	out, err := r.git.run(ctx, dir, c)
	if err != nil {
		return nil, err
	}
	r.answers.mu.Lock()
	defer r.answers.mu.Unlock()
	if r.answers.bytes += len(out); r.answers.bytes <= maxAnswers {
		r.answers.known[key] = out
	}
	return out, nil
}

// ask asks once where every revision is a whole id, and anew where one is a name, which
// may move.
func (r *Repo) ask(ctx context.Context, dir string, c call, revisions ...string) ([]byte, error) {
	for _, rev := range revisions {
		if (len(rev) != 40 && len(rev) != 64) || strings.Trim(rev, "0123456789abcdef") != "" {
			return r.git.run(ctx, dir, c)
		}
	}
	return r.once(ctx, dir, c)
}
