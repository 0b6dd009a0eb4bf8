package inventory

import (
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// The library follows nesting until the stack is full, and the whole run would end.
func TestNestingInTOMLIsBounded(t *testing.T) {
	const deep = 5_000_000
	for name, c := range map[string]struct {
		text string
		told string
	}{
		"lists":                    {"a = " + strings.Repeat("[", deep), "nested too deep"},
		"tables":                   {"a = " + strings.Repeat("{a=", deep), "nested too deep"},
		"keys with dots":           {strings.Repeat("a.", deep) + "a = 1", "nested too deep"},
		"a head with dots":         {"[" + strings.Repeat("a.", deep) + "a]", "nested too deep"},
		"behind a string":          {"a = \"]]\"\nb = ['''\n]'''', \"\"\"\"]\\\\\"\"\"\"\", \"\\\"]\", '\\', " + strings.Repeat("[", deep), "nested too deep"},
		"behind an unclosed quote": {"a = \"x\nb = " + strings.Repeat("[", deep), "cannot be read"},
		"in a string":              {"a = '" + strings.Repeat("[", 1000) + "'\n", ""},
		"in a comment":             {"# " + strings.Repeat("[", 1000) + "\n", ""},
		"in a long string":         {"a = \"\"\"\n" + strings.Repeat("[", 1000) + "\\\"\"\"\"\n", ""},
		"too large":                {"a = 1" + strings.Repeat("\n", maxTOMLBytes), "larger than 32 MiB"},
	} {
		for _, file := range []string{"pyproject.toml", "Cargo.toml"} {
			_, _, gaps := inventoryOf(t, map[string]string{file: c.text})
			if c.told != "" {
				gap(t, gaps, c.told, true)
			} else if len(gaps) > 0 {
				t.Errorf("%s: %+v", name, gaps)
			}
		}
	}
	_, _, gaps := inventoryOf(t, map[string]string{"Cargo.lock": "a = " + strings.Repeat("[", deep)})
	gap(t, gaps, "nested too deep", true)
}

// Where the text is read as the library reads it, a bracket inside of a string never counts
// and one outside always does.
func FuzzTOMLBounds(f *testing.F) {
	for _, s := range []string{"a = \"]\"", "a = '''x''''\nb = [[1]]", "a = \"\"\"\\\"\"\"\"\"\"", "# [\n[a.b]\n\"c.d\".e = {f = [1.5]}", "a = '\n", "\"\" = [\"\", '']"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var plain, deep map[string]any
		if len(text) > 1000 || toml.Unmarshal([]byte(text), &plain) != nil {
			return
		}
		if err := boundedTOML([]byte(text)); err != nil {
			if strings.Count(text, "[")+strings.Count(text, "{") <= maxTOMLDepth && strings.Count(text, ".") <= maxTOMLDots {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		// Behind any valid text one level too many is found.
		more := text + "\nlast-of-all = " + strings.Repeat("[", maxTOMLDepth+1) + strings.Repeat("]", maxTOMLDepth+1)
		if toml.Unmarshal([]byte(more), &deep) == nil && boundedTOML([]byte(more)) == nil {
			t.Errorf("%q: what is nested too deep behind it is not found", text)
		}
	})
}
