package layers

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"path"
	"strings"
)

// minBinary is the size, in bytes, from which a program is looked at: a list of what it was
// linked with adds more than that.
const minBinary = 4 << 10

// mayBeLinked reports whether a file can be a program or a library: by its mode, or by the
// name of libraries, which need no permission to be loaded.
func mayBeLinked(name string, mode, size int64) bool {
	if size < minBinary {
		return false
	}
	base := path.Base(name)
	switch path.Ext(base) {
	case ".so", ".dylib", ".dll", ".exe", ".pyd", ".node":
		return true
	}
	return mode&0o111 != 0 || strings.Contains(base, ".so.")
}

// executable reads what a program says that it was linked from: the modules of a Go program,
// and the crates of a Rust one that was built by cargo auditable. Others say nothing.
func executable(f *file) ([]found, error) {
	head, err := f.head(4)
	if err != nil {
		return nil, err
	}
	switch {
	case string(head) == "\x7fELF", bytes.HasPrefix(head, []byte("MZ")):
	case string(head) == "\xcf\xfa\xed\xfe", string(head) == "\xce\xfa\xed\xfe":
	default:
		return nil, errNothing
	}
	f.size -= int64(len(head))
	rest, err := f.bytes()
	if err != nil {
		return nil, err
	}
	out, remarks, err := parseExecutable(append(head, rest...))
	for _, r := range remarks {
		f.x.open(f.name, r, false)
	}
	return out, err
}

func parseExecutable(b []byte) (out []found, remarks []string, err error) {
	defer func() {
		if p := recover(); p != nil { // a stranger's binary must not end the process
			out, err = nil, fmt.Errorf("what it was linked from is damaged (%v)", p)
		}
	}()
	modules, remarks, goErr := goModules(b)
	crates, rustErr := rustCrates(b)
	out = append(modules, crates...)
	if none(goErr) && none(rustErr) {
		return out, remarks, errNothing
	}
	for _, err := range []error{goErr, rustErr} {
		if err != nil && !none(err) {
			return out, remarks, err
		}
	}
	return out, remarks, nil
}

func none(err error) bool { return errors.Is(err, errNothing) }

// goModules are the modules of a Go program, which the linker notes whether or not symbols
// and paths are kept.
func goModules(b []byte) (out []found, remarks []string, err error) {
	info, err := buildinfo.Read(bytes.NewReader(b))
	if err != nil {
		return nil, nil, errNothing // no Go program, or one without it
	}
	add := func(name, version string) bool {
		p := found{eco: "Go", name: name, version: version}
		if version == "" || version == "(devel)" || !p.sound() {
			return false
		}
		out = append(out, p)
		return true
	}
	if v, ok := strings.CutPrefix(info.GoVersion, "go"); ok {
		v, _, _ = strings.Cut(v, " ") // behind it stand experiments
		v, _, _ = strings.Cut(v, "-") // and what a distribution adds
		add("stdlib", v)
	} else {
		remarks = append(remarks, fmt.Sprintf("it was built with %.60q, which is no release of Go: its standard library is not listed", info.GoVersion))
	}
	add(info.Main.Path, info.Main.Version)
	for _, d := range info.Deps {
		if len(out) >= maxPackages {
			return out, remarks, fmt.Errorf("it names more than %d modules", maxPackages)
		}
		used := d
		if d.Replace != nil {
			used = d.Replace
		}
		if !add(used.Path, used.Version) && len(remarks) < maxRemarks {
			remarks = append(remarks, fmt.Sprintf("the module %.100q in it was replaced by a folder, or has no version: which one it is is not known", d.Path))
		}
	}
	return out, remarks, nil
}

// maxRemarks bounds what is told of one file.
const maxRemarks = 20
