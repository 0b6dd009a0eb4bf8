package layers

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// dotnetDependencies is what .NET writes beside an application and beside its own libraries
// (dotnet/sdk, documentation/specs/runtime-configuration-file.md).
type dotnetDependencies struct {
	RuntimeTarget struct{ Name string }
	Targets       map[string]map[string]dotnetAssets
	Libraries     map[string]struct{ Type string }
}

// dotnetAssets are the files that a package brings in.
type dotnetAssets struct {
	Runtime, Native, RuntimeTargets, Resources json.RawMessage
}

// readDotnet reads NAME.deps.json. Packages that brought no file in, because the framework
// has them or because they only refer to others, are not in the image.
func readDotnet(b []byte) ([]found, error) {
	var doc dotnetDependencies
	if err := json.Unmarshal(b, &doc); err != nil {
		if b = []byte(strings.TrimSpace(string(b))); len(b) > 0 && b[0] == '[' {
			return nil, errNothing // others call their files so too
		}
		return nil, err
	}
	if doc.Libraries == nil && doc.Targets == nil {
		return nil, errNothing
	}
	if len(doc.Libraries) > maxPackages {
		return nil, fmt.Errorf("it lists more than %d packages", maxPackages)
	}
	target, known := doc.Targets[doc.RuntimeTarget.Name]
	var out []found
	for _, key := range slices.Sorted(maps.Keys(doc.Libraries)) {
		name, version, _ := strings.Cut(key, "/")
		switch doc.Libraries[key].Type {
		case "package":
			if assets, listed := target[key]; known && listed && !assets.any() {
				continue
			}
		case "runtimepack": // .NET itself, where an application brings it along
			name = strings.TrimPrefix(name, "runtimepack.")
		default: // of the application
			continue
		}
		p := found{eco: "NuGet", name: name, version: version}
		if !p.sound() {
			return out, fmt.Errorf("a package of it has the name %.60q and the version %.60q", name, version)
		}
		out = append(out, p)
	}
	return out, nil
}

func (a dotnetAssets) any() bool {
	for _, raw := range []json.RawMessage{a.Runtime, a.Native, a.RuntimeTargets, a.Resources} {
		if len(raw) > 0 {
			return true
		}
	}
	return false
}
