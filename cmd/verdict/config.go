package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict"
)

// config holds the settings that commands share. Each is a flag (--data), a variable
// (VERDICT_DATA) and a key of the configuration file (data), and counts in that order;
// what none of them gives has the default. The flags of single commands follow the same
// rule: `verdict log verify --signatures` is also VERDICT_LOG_VERIFY_SIGNATURES and the key
// commands.log.verify.signatures.
type config struct {
	// Data is the directory of the local ledger, its keys and its indexes. Default:
	// $XDG_DATA_HOME/verdict, or ~/.local/share/verdict.
	Data string
	// Database refers to the URL of a PostgreSQL database that holds the ledger instead
	// of the SQLite file in Data. A URL has a password in it, so it is a reference.
	Database secret
	// Blobs is the object store for what is too large for a row of the ledger. Default: a
	// folder in Data.
	Blobs blobPlace
	// Signer is where the machine's own key is, when it is not in Data. A person's key, which
	// As names, is in Data all the same.
	Signer keyRef
	// LogKey is where the key is that signs checkpoints, when it is not in Data.
	LogKey keyRef
	// Server is the control plane that decides and records. Without one the command line
	// decides on Data.
	Server string
	// Token refers to the token to sign in to Server with. Without it a pipeline's own
	// identity, an enrolled key, what verdict login kept and, on the machine of the server,
	// what verdict serve left for its user are tried, in this order.
	Token secret
	// ServerCA is a file with certificates in PEM of who may vouch for Server, beside the
	// authorities that the system knows.
	ServerCA string
	// Map is the decision map that a command looks at: map lint, draw, show, people list.
	// Default: verdict.yaml in the current directory, else the built-in map. A change is
	// never judged by it, but by the map of its base or the released one; a command that
	// judges refuses the flag.
	Map string
	// Offline forbids every network connection. What is needed and not here is then
	// missing, and says so.
	Offline bool
	// At reads the ledger as it was: commands that read offer it.
	At moment
	// Output is what to render and where. Default: text on standard output.
	Output []output
	// Verbose tells on standard error what is done.
	Verbose bool
	// As names the enrolled key to sign with. It is a key, never a name.
	As string
	// ReportOnly turns the exit codes 3 and 5 into 0, and says so. Commands that decide
	// before deployment offer it; deploy points do not.
	ReportOnly bool
}

// maxConfig bounds the configuration file.
const maxConfig = 1 << 20

// fileValue is one value of the configuration file.
type fileValue struct {
	texts []string // one, or the entries of a list
	line  int
}

// fileSettings is what the configuration file says, by key.
type fileSettings struct {
	path   string // empty: there is no file
	values map[string]fileValue
}

// readConfigFile reads the file that --config or VERDICT_CONFIG names, or the default
// one if it exists. known lists every key.
func readConfigFile(named string, env environment, known []string) (fileSettings, error) {
	path := named
	if path == "" {
		dir := env.configDir()
		if dir == "" {
			return fileSettings{}, nil
		}
		path = filepath.Join(dir, "verdict", "config.yaml")
	}
	data, err := readLimited(path, maxConfig)
	if errors.Is(err, fs.ErrNotExist) && named == "" {
		return fileSettings{}, nil
	}
	if err != nil {
		return fileSettings{}, &verdict.Error{Code: verdict.CodeUsage, What: fmt.Sprintf("the configuration file %s cannot be read", path), Remedy: "make it a readable file of at most 1 MiB, or name another with --config FILE", Err: err}
	}
	return parseConfig(path, data, known)
}

// parseConfig reads the file's YAML strictly: known keys, each once, none empty, no
// aliases, one document.
func parseConfig(path string, data []byte, known []string) (fileSettings, error) {
	out := fileSettings{path: path, values: map[string]fileValue{}}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) { // nothing but comments
		return out, nil
	}
	if err != nil {
		return out, configError(path, 0, "is not YAML: "+strings.TrimPrefix(err.Error(), "yaml: "), "correct the file; verdict config explain shows what it understood")
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return out, configError(path, second.Line, "holds more than one document", "keep one document, without ---")
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return out, configError(path, 1, "does not hold settings", "write lines of the form key: value")
	}
	prefixes := map[string]bool{}
	for _, k := range known {
		for i, c := range k {
			if c == '.' {
				prefixes[k[:i]] = true
			}
		}
	}
	c := configReader{path: path, known: known, sections: prefixes, out: out.values}
	return out, c.section("", doc.Content[0])
}

// configReader walks the nodes of one file.
type configReader struct {
	path     string
	known    []string
	sections map[string]bool
	out      map[string]fileValue
}

func (c configReader) section(prefix string, n *yaml.Node) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		name := prefix + k.Value
		switch {
		case c.sections[name] && v.Kind == yaml.MappingNode:
			if err := c.section(name+".", v); err != nil {
				return err
			}
		case c.isKey(name):
			if _, twice := c.out[name]; twice {
				return configError(c.path, k.Line, fmt.Sprintf("says %s twice", name), "keep one of them")
			}
			texts, err := c.texts(name, v)
			if err != nil {
				return err
			}
			c.out[name] = fileValue{texts, v.Line}
		default:
			return configError(c.path, k.Line, fmt.Sprintf("has the unknown key %s", name), meant(name, c.known, "", "verdict config explain lists the keys"))
		}
	}
	return nil
}

func (c configReader) isKey(name string) bool {
	for _, k := range c.known {
		if k == name {
			return true
		}
	}
	return false
}

// texts gives the value as the command line would have it. Aliases are refused: they
// make a small file large.
func (c configReader) texts(name string, n *yaml.Node) ([]string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null" && strings.TrimSpace(n.Value) != "":
		return []string{n.Value}, nil
	case n.Kind == yaml.ScalarNode:
		return nil, configError(c.path, n.Line, "gives "+name+" no value", "give a value, or leave the key out")
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0:
		var out []string
		for _, e := range n.Content {
			if e.Kind != yaml.ScalarNode {
				return nil, configError(c.path, e.Line, "gives "+name+" more than plain values", "write one value per line")
			}
			t, err := c.texts(name, e)
			if err != nil {
				return nil, err
			}
			out = append(out, t...)
		}
		return out, nil
	}
	return nil, configError(c.path, n.Line, "gives "+name+" neither a value nor a list of values", "write key: value")
}

func configError(path string, line int, what, remedy string) error {
	where := path
	if line > 0 {
		where = fmt.Sprintf("%s:%d", path, line)
	}
	return usage(where, fmt.Sprintf("the configuration file %s %s", filepath.Base(path), what), remedy)
}

// meant is the remedy for a name that does not exist: the nearest one, else otherwise.
// prefix stands before the name as it is typed: "--", "verdict log ".
func meant(name string, names []string, prefix, otherwise string) string {
	if n := nearest(name, names); n != "" {
		return fmt.Sprintf("did you mean %s%s? %s", prefix, n, otherwise)
	}
	return otherwise
}
