package ci

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"

	"verdict/ci/plain"
)

// isBinary reports whether a file that starts so holds no text to search: there is a NUL
// in its first 8,000 bytes, it is not UTF-16 with its mark, its name is not that of a
// text, and what it holds is not text for the most part. One byte must not be enough to
// hide a file.
func isBinary(name string, content []byte) bool {
	return hasNUL(content) && !textName(name) && !mostlyText(content)
}

// hasNUL is git's own measure of what is no text.
func hasNUL(content []byte) bool {
	return bytes.IndexByte(content[:min(len(content), sniffed)], 0) >= 0 && plain.UTF16Order(content) == nil
}

// textEndings and textNames are of files that are text wherever they are used.
var textEndings = wordSet(`bash bat c cc cfg cmd cnf conf config cpp crt cs css csv dart ddl dockerfile env erb ex exs go gradle groovy
	h hcl hpp htm html http inc ini java js json json5 jsonc jsonl jsx key kt kts less log lua m markdown md mjs cjs mk mod
	net npmrc ovpn pem php pl plist pm ppk properties props proto ps1 psd1 psm1 py r rb rego rest rs rst sass scala scss sh sql
	svelte svg swift tex tf tfstate tfvars toml ts tsv tsx txt vb vue xml xsd xsl yaml yml zsh`)

var textNames = wordSet(`dockerfile containerfile makefile rakefile gemfile jenkinsfile vagrantfile procfile readme license
	credentials config id_rsa id_dsa id_ecdsa id_ed25519 authorized_keys .netrc _netrc .npmrc .pypirc .pgpass .htpasswd
	.bashrc .profile .zshrc .bash_history .zsh_history .git-credentials .gitconfig .gitmodules .dockercfg .s3cfg .boto`)

func wordSet(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

func textName(name string) bool {
	base := strings.ToLower(path.Base(name))
	return textEndings[strings.TrimPrefix(path.Ext(base), ".")] || textNames[base] || strings.HasPrefix(base, ".env") || strings.HasPrefix(base, "dockerfile")
}

// mostlyText reports whether at most one byte in ten is a control character or part of
// no UTF-8. Of compressed or compiled content it is far more.
func mostlyText(content []byte) bool {
	odd := 0
	for i := 0; i < len(content); {
		c := content[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' || c == 0x7f {
				odd++
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(content[i:])
		if r == utf8.RuneError && n == 1 {
			odd++
		}
		i += n
	}
	return odd*10 <= len(content) || odd == 1 // a short text with one NUL
}

// withoutNUL gives content in which a NUL hides no word. Where they are many they are the
// other half of wide characters and fall away; else each becomes a space. Lines keep
// their numbers.
func withoutNUL(content []byte) []byte {
	switch n := bytes.Count(content, []byte{0}); {
	case n == 0:
		return content
	case n*3 >= len(content):
		return bytes.ReplaceAll(content, []byte{0}, nil)
	}
	return bytes.ReplaceAll(content, []byte{0}, []byte{' '})
}
