package admission

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Whoever asks chooses the names in an object, and the answer is printed in somebody's
// terminal by kubectl: nothing in it may act there.
func TestHostileNamesActInNoAnswerToACluster(t *testing.T) {
	b := newBed(t, "block")
	b.caughtUp(t)
	const esc = `\u001b[2J\r\n::set-output name=x::\u202e\u0007`
	for name, object := range map[string]string{
		"a member": `{"spec":{"` + esc + `":{"podSpec":{"containers":[{"image":"` + image("9") + `"}]}}}}`,
		"an image": `{"spec":{"containers":[{"image":"` + esc + `"}]}}`,
		"a tag":    `{"spec":{"containers":[{"image":"ghcr.io/acme/web:` + esc + `"}]}}`,
	} {
		for _, namespace := range []string{"web", "nobodys"} {
			r := creates(namespace)
			r.Kind, r.Object = GroupKind{"acme.example", "v1", "Fleet"}, json.RawMessage(object)
			r.UserInfo.Username, r.Name = "jane\x1b[2J\n", "one\x1b[2J\n"
			a := b.asks(t, r)
			texts := append(slices.Collect(maps.Values(a.annotations())), a.Message)
			for _, f := range a.Findings {
				texts = append(texts, f.Path, f.Message, f.Remedy)
			}
			for _, text := range append(texts, a.Warnings...) {
				if strings.ContainsAny(strings.ReplaceAll(text, "\n", ""), "\x1b\r\a\u202e") || strings.Contains(text, "\n::") {
					t.Errorf("%s in %s: %q", name, namespace, text)
				}
			}
		}
	}
}
