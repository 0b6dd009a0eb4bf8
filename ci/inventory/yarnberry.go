package inventory

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// berryLock reads yarn.lock as yarn 2 and later write it: YAML, with what asks and what is
// taken as name@protocol:rest. Its checksums are those of archives that yarn itself packs,
// not of what is downloaded, and are left out.
type berryLock struct {
	*locked
	answers map[string][]int
	byName  map[string][]int
	folders map[string]int // of projects
	loose   bool
}

func parseBerryLock(content []byte) (*locked, error) {
	docs, err := yamlDocuments(content)
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 || plain.Member(docs[0], "__metadata") == nil {
		return nil, fmt.Errorf("it holds %d documents, one was expected", len(docs))
	}
	x := &berryLock{
		locked:  &locked{ecosystem: EcosystemNPM, relock: "yarn install --mode=update-lockfile"},
		answers: map[string][]int{}, byName: map[string][]int{}, folders: map[string]int{},
	}
	x.locked.resolve, x.locked.manifest = x.answer, x.takeManifest
	for key, value := range plain.Members(docs[0]) {
		if key.Value == "__metadata" {
			continue
		}
		if err := x.entry(key, value); err != nil {
			return nil, fmt.Errorf("line %d: %w", key.Line, err)
		}
	}
	return x.locked, x.tooMany()
}

func (x *berryLock) entry(key, value *yaml.Node) error {
	resolution := plain.Word(plain.Member(value, "resolution"))
	if resolution == "" {
		return fmt.Errorf("%s has no resolution", wording.Cut(key.Value, 120))
	}
	n := x.resolved(resolution, plain.Word(plain.Member(value, "version")))
	n.line = int64(key.Line)
	optional := map[string]bool{}
	for name, meta := range plain.Members(plain.Member(value, "dependenciesMeta")) {
		optional[name.Value] = plain.Word(plain.Member(meta, "optional")) == "true"
	}
	for name, spec := range plain.Members(plain.Member(value, "dependencies")) {
		n.asks = append(n.asks, ask{name: name.Value, spec: plain.Word(spec), optional: optional[name.Value]})
	}
	i := x.add(n)
	if n.kind == project {
		_, at := nameAndVersion(resolution, '@')
		folder := path.Clean(strings.TrimPrefix(at, "workspace:"))
		x.folders[folder] = i
		x.projects = append(x.projects, folder)
	}
	for descriptor := range strings.SplitSeq(key.Value, ",") {
		x.answersTo(strings.TrimSpace(descriptor), i)
	}
	return nil
}

// resolved reads what was taken.
func (x *berryLock) resolved(resolution, version string) node {
	name, at := nameAndVersion(resolution, '@')
	n := node{name: name, version: version}
	protocol, rest, _ := strings.Cut(at, ":")
	switch protocol {
	case "npm":
		stated, parameters, _ := strings.Cut(rest, "::")
		n.version = cmp.Or(stated, version)
		if q, err := url.ParseQuery(parameters); err == nil && q.Get("__archiveUrl") != "" {
			n.address = q.Get("__archiveUrl")
		}
	case "workspace":
		n.kind = project
	case "patch":
		// The package that is patched, percent-encoded, in front of the patch.
		if inner, err := url.PathUnescape(strings.SplitN(rest, "#", 2)[0]); err == nil && inner != resolution {
			if p := x.resolved(inner, version); p.kind == released && p.name == name {
				n.address = p.address
				return n
			}
		}
		n.kind, n.address = addressed, at
	case "link", "portal":
		n.kind = local
	case "file":
		bare, _, _ := strings.Cut(rest, "::")
		if n.kind = local; isArchive(strings.SplitN(bare, "#", 2)[0]) {
			n.kind, n.address = addressed, "file:"+strings.SplitN(bare, "#", 2)[0]
		}
	default:
		bare, _, _ := strings.Cut(at, "::")
		n.kind, n.address = addressed, strings.Replace(bare, "#commit=", "#", 1)
	}
	return n
}

// answersTo notes that an entry answers a descriptor, and the one that it patches.
func (x *berryLock) answersTo(descriptor string, i int) {
	name, spec := nameAndVersion(descriptor, '@')
	x.answers[descriptor] = append(x.answers[descriptor], i)
	x.byName[name] = append(x.byName[name], i)
	if rest, ok := strings.CutPrefix(spec, "patch:"); ok {
		inner, err := url.PathUnescape(strings.SplitN(rest, "#", 2)[0])
		if _, wanted := nameAndVersion(inner, '@'); err == nil && wanted != "" {
			inner = name + "@" + withProtocol(wanted)
			x.answers[inner] = append(x.answers[inner], i)
		}
	}
}

// withProtocol completes a plain range as yarn does.
func withProtocol(spec string) string {
	if strings.Contains(spec, ":") {
		return spec
	}
	return "npm:" + spec
}

// takeManifest learns from a project's package.json what is for development only, which
// the lockfile does not tell.
func (x *berryLock) takeManifest(folder string, m, root *packageJSON) {
	x.loose = x.loose || root.overrides
	i, ok := x.folders[folder]
	if !ok {
		return
	}
	only := m.onlyDevelopment()
	for k, a := range x.nodes[i].asks {
		x.nodes[i].asks[k].dev = only[a.name]
	}
}

// answer finds name@range with its protocol.
func (x *berryLock) answer(_ int, a ask) ([]int, bool) {
	for _, key := range []string{a.name + "@" + withProtocol(a.spec), a.name + "@" + a.spec} {
		if to, ok := x.answers[key]; ok {
			return to, true
		}
	}
	if to, ok := x.byName[a.name]; ok && (x.loose || strings.Contains(a.spec, ":") && !strings.HasPrefix(a.spec, "npm:")) {
		return to, true // bound to the place that asks (link, patch), or replaced by resolutions
	}
	return nil, false
}
