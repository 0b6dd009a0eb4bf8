package policy

import (
	"maps"

	"verdict"
)

// Files gives the files of the bundle that take part in decisions, by path: what Digest
// covers, and what Restore takes.
func (b *Bundle) Files() map[string]string {
	out := map[string]string{}
	for name, text := range b.files {
		if isRule(name) {
			out[name] = text
		}
	}
	return out
}

// Restore compiles a bundle as a decision recorded it: the built-in rules of that day
// are among the files, and those of this program stay out.
func Restore(files map[string]string) (*Bundle, error) {
	b, err := Compile(maps.Clone(files), CompileOptions{Alone: true, recorded: true})
	if err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "a recorded policy bundle does not compile with " + (&Bundle{}).Engine(),
			Remedy: "use the version of verdict that took the decision", Err: err,
		}
	}
	return b, nil
}
