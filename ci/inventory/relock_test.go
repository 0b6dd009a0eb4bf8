package inventory

import (
	"strings"
	"testing"

	"verdict"
)

func TestFixesNameTheNextCommand(t *testing.T) {
	for _, c := range []struct {
		d    Dependency
		want string
	}{
		{Dependency{Component: verdict.Component{Ecosystem: "Go", Name: "example.com/a", Version: "v1.0.0"}}, "go get example.com/a@v1.2.0"},
		{Dependency{Component: verdict.Component{Ecosystem: "Go", Name: "example.com/a", Version: "v1.0.0"}, Source: "svc/go.mod"}, "in svc: go get example.com/a@v1.2.0"},
		{Dependency{Component: verdict.Component{Ecosystem: "PyPI", Name: "a"}, Source: "svc/requirements.txt", Line: 3}, "write a==1.2.0 in line 3 of svc/requirements.txt"},
		{Dependency{Component: verdict.Component{Ecosystem: "PyPI", Name: "a"}, Source: "svc/requirements.txt", Hashes: []Hash{{}}}, "in svc: pip-compile --generate-hashes --upgrade-package a==1.2.0 -o requirements.txt"},
		{Dependency{Component: verdict.Component{Ecosystem: "Go", Name: "stdlib", Version: "1.1.0"}}, "go get toolchain@go1.2.0"},
		{Dependency{Component: verdict.Component{Ecosystem: "npm", Name: "a"}, Path: []string{"web", "b", "a"}}, "take a version of b that needs a 1.2.0"},
		{Dependency{Component: verdict.Component{Ecosystem: "npm", Name: "a"}}, "npm audit fix"},
		{Dependency{Component: verdict.Component{Ecosystem: "crates.io", Name: "a", Version: "1.0.0"}}, "cargo update -p a@1.0.0 --precise 1.2.0"},
		{Dependency{Component: verdict.Component{Ecosystem: "PyPI", Name: "a"}, Source: "r.txt", Line: 4}, "a==1.2.0 in line 4 of r.txt"},
		{Dependency{Component: verdict.Component{Ecosystem: "Maven", Name: "g:a"}}, "take g:a 1.2.0 or later"},
	} {
		if got := Fix(c.d, verdict.Vulnerability{Fixed: "1.2.0"}); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.d.Ecosystem, got, c.want)
		}
	}
}
