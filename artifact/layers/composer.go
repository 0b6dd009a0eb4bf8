package layers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

type composerPackage struct {
	Name, Version string
	License       json.RawMessage
}

// readComposer reads vendor/composer/installed.json, in the form of Composer 2 and in that
// of Composer 1, which is the list alone.
func readComposer(b []byte) ([]found, error) {
	var list []composerPackage
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		if err := json.Unmarshal(b, &list); err != nil {
			return nil, err
		}
	} else {
		var doc struct{ Packages []composerPackage }
		if err := json.Unmarshal(b, &doc); err != nil {
			return nil, err
		}
		list = doc.Packages
	}
	if len(list) > maxPackages {
		return nil, fmt.Errorf("it lists more than %d packages", maxPackages)
	}
	var out []found
	for _, c := range list {
		p := found{eco: "Packagist", name: c.Name, version: c.Version, licence: anyOf(c.License)}
		if !p.sound() {
			return out, fmt.Errorf("a package of it has the name %.60q and the version %.60q", c.Name, c.Version)
		}
		out = append(out, p)
	}
	return out, nil
}

// anyOf are the licences of a package: one, or several of which one may be chosen. What is
// neither says nothing that is needed.
func anyOf(raw json.RawMessage) string {
	var one string
	if json.Unmarshal(raw, &one) != nil {
		var several []string
		_ = json.Unmarshal(raw, &several)
		one = strings.Join(several, " OR ")
	}
	if len(one) > maxLicence {
		return ""
	}
	return one
}
