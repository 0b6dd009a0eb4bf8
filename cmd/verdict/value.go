package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"verdict"
)

// badValue says what is wrong with a value, without its name: the same value may come
// from a flag, the environment or the file.
type badValue struct{ what, remedy string }

func (b *badValue) Error() string { return b.what }

// value is one setting's value, wherever it comes from. It is the pflag.Value of its flag.
//
// Two rules hold for every value, so that a verdict is never inverted by a mistake in a
// script: an empty value is refused, and a flag given twice with different values is.
type value struct {
	kind  string             // the word for the value in help: FILE, URL; empty for a toggle
	parse func(string) error // checks and stores; the error is a *badValue
	show  func() string      // the value for people; never a secret
	many  bool               // may be given repeatedly, each adding one
	reset func()             // forgets what was stored; needed when many
	given string             // what the command line gave
}

// Set takes the value from the command line.
func (v *value) Set(s string) error {
	if !v.many && v.given != "" && v.given != s {
		return &badValue{"is given twice, with different values", "keep one of them"}
	}
	if err := v.take(s); err != nil {
		return err
	}
	v.given = s
	return nil
}

// take stores a value from any source.
func (v *value) take(s string) error {
	if strings.TrimSpace(s) == "" {
		return &badValue{"is empty", "give a value, or leave it out"}
	}
	return v.parse(s)
}

// String shows the value.
func (v *value) String() string {
	if v == nil || v.show == nil {
		return ""
	}
	return v.show()
}

// Type is the word for the value in help.
func (v *value) Type() string { return v.kind }

func textValue(p *string, kind string) *value {
	return &value{kind: kind, show: func() string { return *p }, parse: func(s string) error {
		*p = s
		return nil
	}}
}

// toggleValue reads only true and false: "1", "t" or "yes" would be one more way to be
// misunderstood.
func toggleValue(p *bool) *value {
	return &value{show: func() string { return strconv.FormatBool(*p) }, parse: func(s string) error {
		if s != "true" && s != "false" {
			return &badValue{fmt.Sprintf("is %q, which is neither true nor false", s), "write true or false"}
		}
		*p = s == "true"
		return nil
	}}
}

func numberValue(p *int64, kind string, low, high int64) *value {
	return &value{kind: kind, show: func() string { return strconv.FormatInt(*p, 10) }, parse: func(s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < low || n > high {
			return &badValue{fmt.Sprintf("is %q, which is not a number from %d to %d", s, low, high), "write a whole number in that range"}
		}
		*p = n
		return nil
	}}
}

func choiceValue(p *string, choices ...string) *value {
	return &value{kind: strings.Join(choices, "|"), show: func() string { return *p }, parse: func(s string) error {
		for _, c := range choices {
			if c == s {
				*p = s
				return nil
			}
		}
		return &badValue{fmt.Sprintf("is %q, which is none of %s", s, strings.Join(choices, ", ")), meant(s, choices, "", "write one of them")}
	}}
}

func listValue(p *[]string, kind string) *value {
	return &value{
		kind: kind, many: true,
		show:  func() string { return strings.Join(*p, ", ") },
		reset: func() { *p = nil },
		parse: func(s string) error {
			*p = append(*p, s)
			return nil
		},
	}
}

// addressValue reads an HTTP address. A name and password in it would end up in logs.
func addressValue(p *string) *value {
	return &value{kind: "URL", show: func() string { return *p }, parse: func(s string) error {
		u, err := url.Parse(s)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			return &badValue{"is not an http or https address", "write https://HOST or https://HOST:PORT, and of a server on this machine http://127.0.0.1:PORT"}
		}
		if u.User != nil {
			return &badValue{"holds a user name or password", "take it out of the address"}
		}
		*p = strings.TrimSuffix(s, "/")
		return nil
	}}
}

// secret is a reference to a secret, never the secret: "file:PATH" or "env:NAME".
type secret string

// secretValue refuses the secret itself and does not repeat it.
func secretValue(p *secret) *value {
	return &value{kind: "REFERENCE", show: func() string { return string(*p) }, parse: func(s string) error {
		scheme, rest, _ := strings.Cut(s, ":")
		if (scheme != "file" && scheme != "env") || rest == "" {
			return &badValue{"holds something other than a reference", "keep the secret in a file and write file:PATH, or in a variable (export NAME=…) and write env:NAME"}
		}
		*p = secret(s)
		return nil
	}}
}

// maxSecret bounds what a reference may resolve to.
const maxSecret = 64 << 10

// reveal reads the secret, without the line end that editors add.
func (s secret) reveal(env environment) (string, error) {
	scheme, rest, _ := strings.Cut(string(s), ":")
	var out string
	if scheme == "env" {
		out = env.get(rest)
	} else {
		b, err := readLimited(rest, maxSecret)
		if err != nil {
			return "", &verdict.Error{Code: verdict.CodeUnavailable, What: fmt.Sprintf("the secret %s cannot be read", s), Remedy: "make the file readable for this user, or change the reference", Err: err}
		}
		out = string(b)
	}
	out = strings.TrimRight(out, "\r\n")
	if out == "" {
		remedy := "put the secret there, or change the reference"
		if scheme == "env" {
			remedy = "export " + rest + "=…, or change the reference"
		}
		return "", &verdict.Error{Code: verdict.CodeUnavailable, What: fmt.Sprintf("the secret %s is empty", s), Remedy: remedy}
	}
	return out, nil
}

// output is one rendering that was asked for: a format, and a file or standard output.
type output struct {
	Format string
	File   string // empty: standard output
}

func (o output) String() string {
	if o.File == "" {
		return o.Format
	}
	return o.Format + "=" + o.File
}

// outputsValue reads FORMAT or FORMAT=FILE; which formats there are is the command's word.
func outputsValue(p *[]output) *value {
	return &value{
		kind: "FORMAT[=FILE]", many: true,
		show: func() string {
			words := make([]string, len(*p))
			for i, o := range *p {
				words[i] = o.String()
			}
			return strings.Join(words, ", ")
		},
		reset: func() { *p = nil },
		parse: func(s string) error {
			format, file, named := strings.Cut(s, "=")
			if format == "" || (named && strings.TrimSpace(file) == "") {
				return &badValue{fmt.Sprintf("is %q, which lacks a format or a file", s), "write a format, such as json, or a format and a file, such as sarif=verdict.sarif"}
			}
			for _, o := range *p {
				if o.File == file {
					return &badValue{fmt.Sprintf("asks for %s and %s in one place", o, s), "give each format its own file with FORMAT=FILE"}
				}
			}
			*p = append(*p, output{format, file})
			return nil
		},
	}
}

// readLimited reads a file of at most limit bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder", path)
	}
	return readAll(f, path, limit)
}
