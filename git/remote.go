package git

import (
	"context"
	"slices"
	"strings"
)

// Remote is the address of origin, or of the first other remote by name, without
// credentials; empty when there is no remote.
func (r *Repo) Remote(ctx context.Context) (string, error) {
	ended := 0
	out, err := r.once(ctx, r.Root, call{args: []string{"config", "-z", "--get-regexp", `^remote\..*\.url$`}, ok1: true, ended: &ended})
	if err != nil {
		return "", err
	}
	all := fields(out)
	slices.SortStableFunc(all, func(a, b string) int {
		const origin = "remote.origin.url\n"
		if x, y := strings.HasPrefix(a, origin), strings.HasPrefix(b, origin); x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	if len(all) == 0 {
		return "", nil
	}
	_, url, _ := strings.Cut(all[0], "\n")
	return Address(url), nil
}

// Address strips from a remote's URL everything that may be a credential: user and
// password (the user "git" of an SSH address stays), query, fragment, and the whole
// command line of a helper such as ext::.
func Address(url string) string {
	url = strings.ToValidUTF8(url, "\uFFFD")
	url = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return -1
		}
		return c
	}, url)
	if helper, _, found := strings.Cut(url, "::"); found && !strings.ContainsAny(helper, ":/@[") {
		return helper + "::"
	}
	scheme, rest, isURL := strings.Cut(url, "://")
	if !isURL {
		return scpAddress(url)
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	host, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndex(host, "@"); i >= 0 {
		user := host[:i]
		host = host[i+1:]
		if user == "git" && strings.Contains(scheme, "ssh") {
			host = "git@" + host
		}
	}
	if slash {
		host += "/" + path
	}
	return scheme + "://" + host
}

// scpAddress is the form user@host:path, or a path of this machine.
func scpAddress(url string) string {
	host, path, slash := strings.Cut(url, "/")
	i := strings.LastIndex(host, "@")
	if i < 0 || !strings.Contains(host[i:], ":") && slash {
		return url
	}
	if host[:i] != "git" {
		host = host[i+1:]
	}
	if slash {
		host += "/" + path
	}
	return host
}

// SameRepository reports whether two addresses name one repository of one server,
// however they reach it: by https, ssh or the short form git@host:path, with or without
// .git. Two empty addresses are not the same.
func SameRepository(a, b string) bool {
	x, y := serverPath(a), serverPath(b)
	return x != "" && x == y
}

// serverPath is host/path of an address. The host is compared without case; the path as it is.
func serverPath(url string) string {
	url = Address(url)
	_, rest, isURL := strings.Cut(url, "://")
	if !isURL {
		host, path, found := strings.Cut(url, ":")
		if !found || strings.Contains(host, "/") {
			return url // a path of this machine
		}
		rest = host + "/" + strings.TrimPrefix(path, "/")
	}
	host, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndex(host, "@"); i >= 0 {
		host = host[i+1:]
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	if path == "" {
		return ""
	}
	return strings.ToLower(host) + "/" + path
}
