package inventory

import (
	"fmt"
	"regexp"
	"strings"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// terraformHome is where providers and modules come from unless somebody says otherwise.
const terraformHome = "registry.terraform.io/"

var (
	providerName = regexp.MustCompile(`^[a-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$`)
	moduleName   = regexp.MustCompile(`^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]+)?/)?[A-Za-z0-9_-]+/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$`)
)

// terraformLock reads .terraform.lock.hcl. Its zh: hashes are those of what is downloaded,
// one for each platform; its h1: are of what is in them.
func (r *reference) terraformLock(content []byte) error {
	blocks, err := hclBlocks(content, "provider")
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, b := range blocks {
		if len(b.labels) != 1 || !providerName.MatchString(b.labels[0]) || !exactTag.MatchString(b.texts["version"]) {
			return fmt.Errorf("line %d: a provider without name or version", b.line)
		}
		if seen[b.labels[0]] {
			return fmt.Errorf("line %d: %s stands twice", b.line, wording.Cut(b.labels[0], 120))
		}
		seen[b.labels[0]] = true
		d := r.put(EcosystemTerraform, strings.TrimPrefix(b.labels[0], terraformHome), b.texts["version"], b.line)
		for _, h := range b.lists["hashes"] {
			if digest, ok := strings.CutPrefix(h, "zh:"); ok {
				d.Hashes = append(d.Hashes, hashOfHex("sha256", digest)...)
			}
		}
	}
	return r.full()
}

// terraform reads the modules that a configuration takes from elsewhere.
func (r *reference) terraform(content []byte) error {
	if !strings.Contains(string(content), "module") { // most files: nothing to read
		return nil
	}
	blocks, err := hclBlocks(content, "module")
	if err != nil {
		return err
	}
	for _, b := range blocks {
		r.module(b)
	}
	return r.full()
}

// terraformJSON reads modules of the same in JSON: {"module": {"name": {…}}}, where each of
// the two objects can be a list of objects.
func (r *reference) terraformJSON(content []byte) error {
	j := plain.NewJSON(content)
	each := func(one func() error) error {
		if j.Peek() == '[' {
			return j.Entries(func(int64) error { return one() })
		}
		return one()
	}
	err := j.Document(func(key string, _ int64) error {
		if key != "module" {
			return j.Skip()
		}
		return each(func() error {
			return j.Once(func(_ string, line int64) error {
				return each(func() error {
					b := hclBlock{line: int(line), texts: map[string]string{}}
					err := j.Once(func(key string, _ int64) (err error) {
						b.texts[key], err = j.Text()
						return err
					})
					r.module(b)
					return err
				})
			})
		})
	})
	if err != nil {
		return err
	}
	return r.full()
}

func (r *reference) module(b hclBlock) {
	source := b.texts["source"]
	switch {
	case strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../") || strings.HasPrefix(source, "/"):
		return // of this tree
	case source == "" || strings.Contains(source, "${") || strings.Contains(source, "%{"):
		r.gaps = append(r.gaps, wording.Aside(r.source, "line %d has a module whose source is no plain text: what it is was not told", b.line))
		return
	}
	plain, _, _ := strings.Cut(source, "//")
	if moduleName.MatchString(plain) && !strings.HasPrefix(plain, "github.com/") && !strings.HasPrefix(plain, "bitbucket.org/") {
		version := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(b.texts["version"]), "="))
		if !exactTag.MatchString(version) {
			r.moving = append(r.moving, plain+" "+b.texts["version"])
			version = ""
		}
		r.put(EcosystemTerraform, strings.TrimPrefix(plain, terraformHome), version, b.line)
		return
	}
	r.addressedModule(source, b.line)
}

// addressedModule takes a module from a repository or an archive: its version is the ref.
func (r *reference) addressedModule(source string, line int) {
	for _, getter := range []string{"git::", "hg::", "s3::", "gcs::"} {
		source = strings.TrimPrefix(source, getter)
	}
	address, query, _ := strings.Cut(source, "?")
	version := ""
	for part := range strings.SplitSeq(query, "&") {
		if ref, ok := strings.CutPrefix(part, "ref="); ok {
			version = ref
		}
	}
	scheme, rest, hasScheme := strings.Cut(address, "://")
	if !hasScheme {
		scheme, rest = "", address
	}
	rest, _, _ = strings.Cut(rest, "//") // a folder inside of it
	if hasScheme {
		rest = scheme + "://" + rest
	}
	name := repositoryName(rest)
	if !nameForms[EcosystemSwift].MatchString(name) || version != "" && !versionAny.MatchString(version) && !branchName.MatchString(version) {
		r.gaps = append(r.gaps, wording.Aside(r.source, "line %d has a module from an address that cannot be told: %s", line, shownAddress(source)))
		return
	}
	if !sha.MatchString(version) && !exactTag.MatchString(version) {
		r.moving = append(r.moving, strings.TrimSpace(name+" "+version))
	}
	d := r.put(EcosystemTerraform, name, version, line)
	d.From = origin(EcosystemTerraform, rest)
}

var branchName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
