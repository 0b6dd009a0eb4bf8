package ci

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"verdict"
	"verdict/ci/wording"
)

// IgnoreFile is the file of false positives. It counts as the base of a change has it,
// so that a change cannot excuse itself.
const IgnoreFile = ".verdictignore"

const (
	ignoreSchema = "verdict-ignore/v1"
	maxIgnores   = 10_000
	maxIgnore    = 4 << 20 // bytes of the file
)

// Ignore states that a hit is a false positive. It accepts no risk.
type Ignore struct {
	Key     string `yaml:"key"` // Hit.Key
	Reason  string `yaml:"reason"`
	Owner   string `yaml:"owner"`
	Expires Day    `yaml:"expires"` // the first day on which it no longer counts
}

// Ignores is what the file states.
type Ignores struct {
	FalsePositives []Ignore  `yaml:"false_positives"`
	LeftOut        []LeftOut `yaml:"left_out"`
}

// Day is a date as YYYY-MM-DD, in UTC.
type Day struct{ time.Time }

// UnmarshalYAML reads the date and refuses every other form.
func (d *Day) UnmarshalYAML(n *yaml.Node) error {
	t, err := time.ParseInLocation(time.DateOnly, n.Value, time.UTC)
	if err != nil {
		return fmt.Errorf("line %d: %q is not a date like 2027-03-31", n.Line, n.Value)
	}
	d.Time = t
	return nil
}

// ParseIgnores reads the file. Every entry needs its reason, owner and expires, and its
// key, or its path and checks; an unknown key of the file is an error. The error is a
// *verdict.Error.
func ParseIgnores(name string, data []byte) (none Ignores, err error) {
	invalid := func(what string, err error) error {
		return &verdict.Error{
			Code: verdict.CodeInvalid, What: name + " cannot be read: " + what,
			Remedy: "write it as verdict help false-positives shows it, under schema: " + ignoreSchema, Err: err,
		}
	}
	if len(data) > maxIgnore {
		return none, invalid(fmt.Sprintf("it is larger than %d bytes", maxIgnore), nil)
	}
	var file struct {
		Schema  string `yaml:"schema"`
		Ignores `yaml:",inline"`
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return none, invalid("it is not what is expected", err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return none, invalid("it holds more than one document", nil)
	}
	if file.Schema != ignoreSchema {
		return none, invalid(fmt.Sprintf("its schema is %q", file.Schema), nil)
	}
	if len(file.FalsePositives)+len(file.LeftOut) > maxIgnores {
		return none, invalid(fmt.Sprintf("it has more than %d entries", maxIgnores), nil)
	}
	for i, x := range file.FalsePositives {
		if err := x.check(); err != nil {
			return none, invalid(fmt.Sprintf("entry %d", i+1), err)
		}
	}
	for i, x := range file.LeftOut {
		if err := x.check(); err != nil {
			return none, invalid(fmt.Sprintf("entry %d of left_out", i+1), err)
		}
	}
	return file.Ignores, nil
}

func (x Ignore) check() error {
	if !strings.HasPrefix(x.Key, secretKey) && !strings.HasPrefix(x.Key, iacKey) {
		return fmt.Errorf("the key %q is not that of a secret or of infrastructure code: false positives of another check are stated as VEX", x.Key)
	}
	return stated(x.Reason, x.Owner, x.Expires)
}

// stated holds what every entry has to say.
func stated(reason, owner string, expires Day) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return errors.New("it has no reason")
	case strings.TrimSpace(owner) == "":
		return errors.New("it has no owner")
	case expires.IsZero():
		return errors.New("it does not expire")
	}
	return nil
}

// ignoresOf are the entries about one check's hits.
func ignoresOf(list []Ignore, key string) []Ignore {
	return slices.DeleteFunc(slices.Clone(list), func(x Ignore) bool { return !strings.HasPrefix(x.Key, key) })
}

// ignored divides hits into those that count and those that a live entry states to be
// false positives. Entries that do not count any more are told.
func ignored(hits []verdict.Hit, list []Ignore, file string, now time.Time) (counting []verdict.Hit, n int64, told []verdict.NotChecked) {
	live := map[string]bool{}
	for _, x := range list {
		if now.Before(x.Expires.Time) {
			live[x.Key] = true
			continue
		}
		told = append(told, verdict.NotChecked{Path: file, Reason: fmt.Sprintf(
			"the false positive %s expired on %s and does not count any more (owner %s)", wording.Shown(x.Key), x.Expires.Format(time.DateOnly), wording.Shown(x.Owner))})
	}
	counting = []verdict.Hit{}
	for _, h := range hits {
		if live[h.Key] {
			n++
			continue
		}
		counting = append(counting, h)
	}
	return counting, n, told
}
