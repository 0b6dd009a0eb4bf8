package main

import (
	"fmt"
	"io"
	"path/filepath"
	"sort"
	"strings"
)

// environment is what the process was given as variables. Nothing below reads the
// process's own.
type environment map[string]string

// newEnvironment reads the form of os.Environ; of a name given twice the first counts,
// as in the C library.
func newEnvironment(list []string) environment {
	env := environment{}
	for _, kv := range list {
		if k, v, ok := strings.Cut(kv, "="); ok && k != "" {
			if _, twice := env[k]; !twice {
				env[k] = v
			}
		}
	}
	return env
}

func (e environment) get(name string) string { return e[name] }

// configDir and dataDir follow the XDG base directory specification, which says that
// a relative path is ignored. They are empty when there is no home.
func (e environment) configDir() string { return e.xdg("XDG_CONFIG_HOME", ".config") }
func (e environment) dataDir() string   { return e.xdg("XDG_DATA_HOME", ".local", "share") }
func (e environment) stateDir() string  { return e.xdg("XDG_STATE_HOME", ".local", "state") }

func (e environment) xdg(name string, underHome ...string) string {
	if dir := e[name]; filepath.IsAbs(dir) {
		return dir
	}
	home := e["HOME"]
	if !filepath.IsAbs(home) {
		return ""
	}
	return filepath.Join(append([]string{home}, underHome...)...)
}

// unknown lists the VERDICT_ variables that no setting reads.
func (e environment) unknown(known []string) []string {
	is := map[string]bool{}
	for _, k := range known {
		is[k] = true
	}
	var out []string
	for k := range e {
		if strings.HasPrefix(k, "VERDICT_") && !is[k] {
			out = append(out, k)
		}
	}
	sort.Strings(out)
	return out
}

// readAll reads at most limit bytes and fails when there are more.
func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return b, nil
}
