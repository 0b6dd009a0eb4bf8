package verdict

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// ModuleKind says how an infrastructure module is had, and so what can tell its content.
type ModuleKind string

// The kinds of modules.
const (
	ModuleLocal    ModuleKind = "local"    // a folder of the tree that calls it
	ModuleRegistry ModuleKind = "registry" // namespace/name/provider: content by version, as long as the registry keeps to it
	ModuleGit      ModuleKind = "git"      // content by the commit that ref gives
	ModuleOCI      ModuleKind = "oci"      // content by the digest of the manifest
	ModuleArchive  ModuleKind = "archive"  // all else that is downloaded: https, S3, Google's storage, Mercurial
)

// ModuleSource is where a module of Terraform or OpenTofu comes from, in one spelling: two
// texts that make these programs take the same have equal sources. Secrets that an address
// may hold are not in it.
type ModuleSource struct {
	Kind    ModuleKind
	Address string // git::https://github.com/acme/net, hashicorp/consul/aws, oci://ghcr.io/acme/net
	Subdir  string // folder of the module in what the address gives; empty: its top
	Query   string // what else the address asks for, in an order of its own
	// Ref is what the address says of the version: git's ref, a digest or a tag of OCI, the
	// checksum of an archive.
	Ref string
	// Named: git takes Ref as the name of a branch or a tag, whatever it looks like.
	Named bool
}

// String is the source without what it says of the version; it parses to the same.
func (s ModuleSource) String() string {
	out := s.Address
	if s.Subdir != "" {
		out += "//" + s.Subdir
	}
	if s.Query != "" {
		out += "?" + s.Query
	}
	return out
}

// At is the source with a ref as a call writes it.
func (s ModuleSource) At(ref string) string {
	key := map[ModuleKind]string{ModuleGit: "ref", ModuleOCI: "digest", ModuleArchive: "checksum"}[s.Kind]
	if ref == "" || key == "" {
		return s.String()
	}
	if s.Query != "" {
		return s.String() + "&" + key + "=" + ref
	}
	return s.String() + "?" + key + "=" + ref
}

// Is reports whether another source is the same but for the version.
func (s ModuleSource) Is(o ModuleSource) bool {
	return s.Kind == o.Kind && s.Address == o.Address && s.Subdir == o.Subdir && s.Query == o.Query
}

var (
	commitID   = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
	sha256Text = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// IsCommit reports whether a text is the whole id of a commit: 40 or 64 hex digits.
func IsCommit(ref string) bool { return commitID.MatchString(ref) }

// Fixed is what of the address fixes the content, because the program that downloads it
// compares: a commit of git, or sha256:… of OCI or of an archive. It is empty where nothing
// does: a tag or a branch leads to other content tomorrow.
func (s ModuleSource) Fixed() string {
	ref := strings.ToLower(s.Ref)
	if s.Kind == ModuleGit && !s.Named && IsCommit(ref) || (s.Kind == ModuleOCI || s.Kind == ModuleArchive) && sha256Text.MatchString(ref) {
		return ref
	}
	return ""
}

const maxModuleSource = 1_000 // bytes, in the one spelling too

// registryHomes are the registries of modules whose address names none: Terraform's, and the
// one that OpenTofu takes in its place. Content alone tells whether theirs is the same.
var registryHomes = []string{"registry.terraform.io", "registry.opentofu.org"}

var (
	forcedGetter = regexp.MustCompile(`^([A-Za-z0-9]+)::(.+)$`)
	secureCopy   = regexp.MustCompile(`^git@([^:/@]+):/?([^?/][^?]*)(\?.*)?$`)
	moduleHost   = regexp.MustCompile(`^(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)+)(?::[0-9]+)?$`)
	modulePart   = regexp.MustCompile(`^[0-9A-Za-z](?:[0-9A-Za-z_-]{0,62}[0-9A-Za-z])?$`)
	moduleTarget = regexp.MustCompile(`^[0-9a-z]{1,64}$`)
	archiveEnd   = regexp.MustCompile(`\.(?:zip|tar|tar\.gz|tgz|tar\.bz2|tbz2|tar\.xz|txz|tar\.zst|tzst)$`)
)

// ParseModuleSource reads the source of a call as Terraform and OpenTofu do
// (https://developer.hashicorp.com/terraform/language/modules/sources). What it refuses
// may be one to them: the error says what to write instead.
func ParseModuleSource(text string) (ModuleSource, error) {
	switch {
	case text == "" || len(text) > maxModuleSource || strings.ContainsFunc(text, func(c rune) bool { return c == ' ' || !unicode.IsPrint(c) }):
		return ModuleSource{}, errors.New("it is empty, longer than an address can be, or holds a space or what cannot be printed")
	case isLocalModule(text):
		return ModuleSource{Kind: ModuleLocal, Address: text}, nil
	}
	rest, subdir := cutSubdir(text)
	address, registry := registryModule(rest)
	var getter string
	var u *url.URL
	if !registry {
		var deeper string
		var err error
		if getter, deeper, u, err = moduleURL(rest); err != nil {
			return ModuleSource{}, err
		}
		subdir = strings.TrimSuffix(deeper+"/"+subdir, "/")
	}
	if subdir = strings.TrimLeft(subdir, "/"); subdir != "" {
		subdir = path.Clean(subdir)
	}
	switch {
	case strings.ContainsAny(subdir, `*?[]\`), strings.Contains(subdir, "//"), subdir == "..", strings.HasPrefix(subdir, "../"):
		return ModuleSource{}, errors.New("the folder behind // is a pattern or leads out of the module")
	case subdir == ".":
		subdir = ""
	}
	if registry {
		return ModuleSource{Kind: ModuleRegistry, Address: address, Subdir: subdir}, nil
	}
	return moduleAt(getter, u, subdir)
}

func isLocalModule(s string) bool {
	for _, start := range []string{"./", "../", `.\`, `..\`} {
		if strings.HasPrefix(s, start) {
			return true
		}
	}
	return s == "." || s == ".."
}

// cutSubdir takes the folder behind // out of a source and leaves what is asked for behind
// it.
func cutSubdir(s string) (rest, subdir string) {
	address, query, asked := strings.Cut(s, "?")
	from := 0
	if i := strings.Index(address, "://"); i >= 0 {
		from = i + len("://")
	}
	if i := strings.Index(address[from:], "//"); i >= 0 {
		address, subdir = address[:from+i], address[from+i+2:]
	}
	if asked {
		address += "?" + query
	}
	return address, subdir
}

// registryModule reads [host/]namespace/name/provider.
func registryModule(s string) (address string, ok bool) {
	parts := strings.Split(s, "/")
	host := registryHomes[0]
	if len(parts) == 4 {
		host, parts = strings.ToLower(parts[0]), parts[1:]
	}
	if len(parts) != 3 || !modulePart.MatchString(parts[0]) || !modulePart.MatchString(parts[1]) || !moduleTarget.MatchString(parts[2]) ||
		!moduleHost.MatchString(host) || host == "github.com" || host == "bitbucket.org" || host == "gitlab.com" {
		return "", false
	}
	address = strings.Join(parts, "/")
	if !slices.Contains(registryHomes, host) {
		address = host + "/" + address
	}
	return address, true
}

// moduleURL is the address as a URL, with what fetches it: short forms are written out as
// Terraform does. deeper is the folder that a short form has in its path.
func moduleURL(s string) (getter, deeper string, u *url.URL, err error) {
	if m := forcedGetter.FindStringSubmatch(s); m != nil {
		getter, s = m[1], m[2]
	}
	switch m := secureCopy.FindStringSubmatch(s); {
	case m != nil:
		s, getter = "ssh://git@"+m[1]+"/"+m[2]+m[3], orElse(getter, "git")
	case strings.HasPrefix(s, "github.com/"), strings.HasPrefix(s, "bitbucket.org/"):
		address, query, asked := strings.Cut(s, "?")
		parts := strings.Split(address, "/")
		if len(parts) < 3 {
			return "", "", nil, errors.New("it names no repository")
		}
		s, deeper, getter = "https://"+strings.Join(parts[:3], "/"), strings.Join(parts[3:], "/"), orElse(getter, "git")
		if asked {
			s += "?" + query
		}
	}
	u, err = url.Parse(s)
	if err != nil || u.Scheme == "" || u.Opaque != "" || strings.Contains(s, "#") || u.Host == "" && u.Scheme != "file" {
		return "", "", nil, errors.New("it is no address that says how it is fetched: write it in full, such as git::https://… or s3::https://…")
	}
	return orElse(getter, u.Scheme), deeper, u, nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// moduleAt tells what an address says of the version from where it leads.
func moduleAt(getter string, u *url.URL, subdir string) (none ModuleSource, err error) {
	s, at := ModuleSource{Kind: ModuleArchive, Subdir: subdir}, strings.TrimRight(u.EscapedPath(), "/")
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || strings.Contains(at, "//") {
		return none, errors.New("its path, or what it asks for behind the question mark, cannot be read")
	}
	switch getter {
	case "git":
		s.Kind, s.Ref, s.Named = ModuleGit, q.Get("ref"), q.Has("depth")
		drop(q, "ref", "depth", "sshkey")
		for strings.HasSuffix(at, ".git") || strings.HasSuffix(at, "/") {
			at = strings.TrimSuffix(strings.TrimSuffix(at, "/"), ".git")
		}
	case "oci":
		s.Kind, s.Ref = ModuleOCI, orElse(q.Get("digest"), q.Get("tag"))
		drop(q, "digest", "tag")
	case "http", "https", "s3", "gcs", "hg", "file":
		archive := q.Get("archive")
		if sum := q.Get("checksum"); sha256Text.MatchString(strings.ToLower(sum)) && (archiveEnd.MatchString(u.Path) && archive == "" || archive != "" && archiveEnd.MatchString("."+archive)) {
			s.Ref = strings.ToLower(sum)
			drop(q, "checksum")
		}
		drop(q, "aws_access_key_id", "aws_access_key_secret", "aws_access_token")
	default:
		return none, fmt.Errorf("nothing fetches modules by %q", getter)
	}
	user := ""
	if u.Scheme == "ssh" && u.User.Username() != "" {
		user = url.User(u.User.Username()).String() + "@"
	}
	s.Address, s.Query = u.Scheme+"://"+user+strings.ToLower(u.Host)+at, q.Encode()
	if getter != u.Scheme || getter == "git" {
		s.Address = getter + "::" + s.Address
	}
	if len(s.String()) > maxModuleSource {
		return none, errors.New("it is longer than an address can be")
	}
	return s, nil
}

func drop(q url.Values, keys ...string) {
	for _, k := range keys {
		q.Del(k)
	}
}
