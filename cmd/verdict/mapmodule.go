package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"verdict/ci"
	"verdict/decisionmap"
	"verdict/report"
)

func mapModuleCommand() command {
	return command{
		use: "module FOLDER", short: "Print the entry by which a map approves an infrastructure module",
		long: "FOLDER is one that terraform init or tofu init made, such as .terraform/modules/vpc, or a copy of a module in a repository. The entry goes under approved: in the section modules: of the map. " +
			"It names the source of the module, and what says which content that is: the commit of git, the digest that an address gives, else a digest over the files. Look at the module first: who approves it answers for what it holds. " +
			"verdict help modules tells what is compared.",
		example: "verdict map module .terraform/modules/vpc\nverdict map module modules/vendored/net",
		args:    exactly(1), plain: true, formats: textOrJSON,
		setup: runs(func(ctx context.Context, a *app, args []string) error {
			if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
				return usage("verdict map module --help", args[0]+" is not a folder", "run terraform init -backend=false, and name a folder that it made: verdict map module .terraform/modules/vpc")
			}
			m, files, err := ci.DescribeModule(ctx, args[0])
			if err != nil {
				return err
			}
			out := mapModule{"verdict.map-module/v1", decisionmap.Module{Source: m.Source, Version: m.Version, Ref: m.Ref, Digest: m.Digest, Path: m.Path}, files}
			return a.emit(out, func(report.Style) string { return out.text(args[0]) })
		}),
	}
}

// mapModule is the document verdict.map-module/v1.
type mapModule struct {
	Schema string             `json:"schema"`
	Entry  decisionmap.Module `json:"entry"`
	Files  int                `json:"files"` // that its digest covers
}

// text is the entry as a map's file has it.
func (m mapModule) text(folder string) string {
	var parts []string
	for _, p := range []struct{ key, value string }{
		{"source", m.Entry.Source}, {"path", m.Entry.Path}, {"version", m.Entry.Version}, {"ref", m.Entry.Ref}, {"digest", m.Entry.Digest},
	} {
		if p.value != "" {
			parts = append(parts, fmt.Sprintf("%s: %q", p.key, p.value))
		}
	}
	about := "its address fixes what it holds"
	if m.Files > 0 {
		about = fmt.Sprintf("its digest covers all its files (%d)", m.Files)
	}
	return fmt.Sprintf("# %s: %s\n- {%s}\n", report.Neutral(filepath.ToSlash(folder)), about, strings.Join(parts, ", "))
}

// approvedModules are those that a map lets code call; nil where it lets it call any.
func approvedModules(m *decisionmap.Map) *ci.ApprovedModules {
	if m.Modules == nil {
		return nil
	}
	out := &ci.ApprovedModules{From: m.Modules.From}
	for _, x := range m.Modules.Approved {
		out.List = append(out.List, ci.ApprovedModule{Source: x.Source, Version: x.Version, Ref: x.Ref, Digest: x.Digest, Path: x.Path})
	}
	return out
}
