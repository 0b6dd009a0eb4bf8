package layers

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"strings"
)

// Sizes of binaries that can hold the build information of Go, which adds a megabyte at
// least.
const minBinary = 256 << 10

// executable reads the modules that a Go program was built from. Other programs say
// nothing of what they were linked with.
func executable(f *file) (out []found, err error) {
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
	defer func() {
		if p := recover(); p != nil { // a stranger's binary must not end the process
			out, err = nil, fmt.Errorf("its build information is damaged (%v)", p)
		}
	}()
	info, err := buildinfo.Read(bytes.NewReader(append(head, rest...)))
	if err != nil {
		return nil, errNothing // no Go program, or one without it
	}
	add := func(name, version string) {
		p := found{eco: "Go", name: name, version: version}
		if version != "" && version != "(devel)" && p.sound() {
			out = append(out, p)
		}
	}
	if v, ok := strings.CutPrefix(info.GoVersion, "go"); ok {
		v, _, _ = strings.Cut(v, " ") // behind it stand experiments
		add("stdlib", v)
	}
	add(info.Main.Path, info.Main.Version)
	for _, d := range info.Deps {
		if len(out) >= maxPackages {
			return out, fmt.Errorf("it names more than %d modules", maxPackages)
		}
		if d.Replace != nil {
			d = d.Replace
		}
		add(d.Path, d.Version)
	}
	return out, nil
}
