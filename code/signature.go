package code

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"verdict"
	"verdict/git"
	"verdict/identity"
)

// Keys are the signers whose commits can be verified: the entries of an allowed-signers
// file of OpenSSH. The zero value knows nobody.
type Keys struct {
	signers []signer
	// unread counts lines about certificate authorities, which are passed over.
	unread int
}

type signer struct {
	principals []string
	key        string // the wire form of the public key
	namespaces []string
	after      time.Time
	before     time.Time
}

// Limits of what is read: entries of allowed signers, and bytes of one signature. Those
// in use have a few thousand.
const (
	maxSigners   = 100_000
	maxSignature = 64 << 10
)

// ParseKeys reads an allowed-signers file (ssh-keygen(1), ALLOWED SIGNERS). A line that
// cannot be read is an *verdict.Error: a key that was meant to count must not be lost.
func ParseKeys(name string, content []byte) (Keys, error) {
	var k Keys
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		s, authority, err := parseSigner(line)
		if err != nil || len(k.signers) == maxSigners {
			return Keys{}, &verdict.Error{
				Code: verdict.CodeInvalid, What: fmt.Sprintf("%s:%d is no allowed signer that can be read", shown(name), number),
				Remedy: "write each line as `address key-type key`, as ssh-keygen(1) describes under ALLOWED SIGNERS", Err: err,
			}
		}
		if authority {
			k.unread++
			continue
		}
		k.signers = append(k.signers, s)
	}
	return k, nil
}

func parseSigner(line string) (s signer, authority bool, err error) {
	words := splitQuoted(line)
	if len(words) < 3 {
		return s, false, fmt.Errorf("it has %d words", len(words))
	}
	s.principals = strings.Split(words[0], ",")
	rest := words[1:]
	for len(rest) > 2 && (isOption(rest[0]) || !strings.Contains(rest[0], "-")) {
		if authority, err = s.options(rest[0], authority); err != nil {
			return s, false, err
		}
		rest = rest[1:]
	}
	wire, err := base64.StdEncoding.DecodeString(rest[1])
	if err != nil {
		return s, false, err
	}
	key, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return s, false, err
	}
	if key.Type() != rest[0] {
		return s, false, fmt.Errorf("it says %.40q and holds a key of type %s", rest[0], key.Type())
	}
	s.key = string(key.Marshal())
	return s, authority, nil
}

func isOption(word string) bool {
	for _, o := range []string{"cert-authority", "namespaces=", "valid-after=", "valid-before="} {
		if strings.HasPrefix(strings.ToLower(word), o) {
			return true
		}
	}
	return false
}

// options reads one word of options, separated by commas outside of quotes.
func (s *signer) options(word string, authority bool) (bool, error) {
	for _, o := range splitOutside(word, ',') {
		name, value, _ := strings.Cut(o, "=")
		value = strings.Trim(value, `"`)
		var err error
		switch strings.ToLower(name) {
		case "cert-authority":
			authority = true
		case "namespaces":
			s.namespaces = strings.Split(value, ",")
		case "valid-after":
			s.after, err = signerTime(value)
		case "valid-before":
			s.before, err = signerTime(value)
		default:
			err = fmt.Errorf("the option %.40q is not known", name)
		}
		if err != nil {
			return false, err
		}
	}
	return authority, nil
}

// signerTime reads YYYYMMDD[HHMM[SS]][Z]. Without Z a time is that of the machine for
// ssh-keygen, and UTC here: the answer must not depend on where it is given.
func signerTime(s string) (time.Time, error) {
	s = strings.TrimSuffix(s, "Z")
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(s) == len(layout) {
			return time.Parse(layout, s)
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is no time", s)
}

func splitQuoted(line string) []string {
	var out []string
	for _, w := range splitOutside(strings.ReplaceAll(line, "\t", " "), ' ') {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

// splitOutside cuts at a separator that stands outside of quotes.
func splitOutside(s string, separator byte) []string {
	var out []string
	from, quoted := 0, false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// signature says what holds of a commit's signature: data is the commit as it is stored.
func (q Question) signature(c git.Commit, data []byte) verdict.CommitSignature {
	signed, armored, several := detach(data)
	out := verdict.CommitSignature{Knowledge: missing("the commit is not signed", "sign it: git commit -S --amend, or git rebase --exec 'git commit --amend -S --no-edit' for several")}
	switch {
	case several:
		out.Knowledge = verdict.Knowledge{State: verdict.StateFailed, Why: "the commit carries several signatures", Remedy: "commit again with one"}
	case armored == "":
	case len(armored) > maxSignature:
		out.Knowledge = broken(fmt.Sprintf("the signature is larger than %d KiB", maxSignature>>10))
	case strings.HasPrefix(armored, "-----BEGIN SSH SIGNATURE-----"):
		out.Format = "ssh"
		out.Knowledge, out.By = q.sshSignature(c, signed, armored)
	case strings.HasPrefix(armored, "-----BEGIN PGP SIGNATURE-----"):
		out.Format = "openpgp"
		out.Knowledge, out.By = q.pgpSignature(c, signed, armored)
	case strings.HasPrefix(armored, "-----BEGIN SIGNED MESSAGE-----"):
		out.Format = "x509"
		out.Knowledge, out.By = q.x509Signature(c, signed, armored)
	default:
		out.Knowledge = unverifiable("the signature has a form that is not known")
	}
	return out
}

// broken is what is said of a signature that does not count whoever's it is.
func broken(why string) verdict.Knowledge {
	return verdict.Knowledge{State: verdict.StateFailed, Why: why, Remedy: "sign the commit again: git commit -S --amend"}
}

func unverifiable(why string) verdict.Knowledge {
	return verdict.Knowledge{State: verdict.StateUnknown, Why: why, Remedy: "sign with an SSH key, an OpenPGP key or gitsign, and give what it is judged by: --allowed-signers, --openpgp-keys or --trusted-root"}
}

// detach takes the signatures out of a commit object: what was signed is the rest.
func detach(data []byte) (signed []byte, armored string, several bool) {
	head, body, found := bytes.Cut(data, []byte("\n\n"))
	var kept, signature []string
	inside, count := false, 0
	for line := range strings.SplitSeq(string(head), "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch {
		case key == "gpgsig" || key == "gpgsig-sha256":
			inside, count = true, count+1
			signature = append(signature, value)
		case inside && strings.HasPrefix(line, " "):
			signature = append(signature, line[1:])
		default:
			inside = false
			kept = append(kept, line)
		}
	}
	signed = []byte(strings.Join(kept, "\n"))
	if found {
		signed = append(append(signed, "\n\n"...), body...)
	}
	return signed, strings.Join(signature, "\n"), count > 1
}

// The words of OpenSSH's PROTOCOL.sshsig.
const (
	sshMagic     = "SSHSIG"
	gitNamespace = "git"
)

// sshSignature verifies a signature of OpenSSH's form over the signed part of a commit.
func (q Question) sshSignature(c git.Commit, signed []byte, armored string) (verdict.Knowledge, verdict.Party) {
	broken := func(why string) (verdict.Knowledge, verdict.Party) { return broken(why), verdict.Party{} }
	s, err := parseSSH(armored)
	if err != nil {
		return broken("the SSH signature cannot be read: " + shown(err.Error()))
	}
	if s.Namespace != gitNamespace {
		return broken("the SSH signature is for " + shown(s.Namespace) + ", not for git")
	}
	sum, ok := sshSum(s.Hash, signed)
	if !ok {
		return broken("the SSH signature rests on the hash " + shown(s.Hash))
	}
	key, err := ssh.ParsePublicKey([]byte(s.Key))
	if err != nil {
		return broken("the key of the SSH signature cannot be read")
	}
	var sig ssh.Signature
	if err := ssh.Unmarshal([]byte(s.Signature), &sig); err != nil || sig.Format == ssh.KeyAlgoRSA {
		return broken("the SSH signature has a form that is not accepted")
	}
	message := append([]byte(sshMagic), ssh.Marshal(struct{ Namespace, Reserved, Hash, Sum string }{s.Namespace, s.Reserved, s.Hash, string(sum)})...)
	if err := key.Verify(message, &sig); err != nil {
		return broken("the SSH signature does not hold over this commit")
	}
	return q.whose(c, key)
}

// whose finds the allowed signer with the key. The signature itself holds already.
func (q Question) whose(c git.Commit, key ssh.PublicKey) (verdict.Knowledge, verdict.Party) {
	why := "no allowed signer has its key"
	if len(q.Keys.signers) == 0 {
		why = "no allowed signers were given"
	}
	for _, s := range q.Keys.signers {
		if s.key != string(key.Marshal()) {
			continue
		}
		switch {
		case len(s.namespaces) > 0 && !listedIn(s.namespaces, gitNamespace):
			why = "its key is not allowed to sign for git"
		case !s.after.IsZero() && q.Now.Before(s.after), !s.before.IsZero() && !q.Now.Before(s.before):
			why = "its key is not valid at this time"
		default:
			return verified, q.People.party(identity.Git, s.principal(c.Committer.Email))
		}
	}
	if q.Keys.unread > 0 {
		why += fmt.Sprintf(" (%d lines about certificate authorities were not read)", q.Keys.unread)
	}
	return verdict.Knowledge{
		State: verdict.StateUnknown, Why: "the SSH signature holds, but " + why,
		Remedy: "add the key to the allowed signers, and give them with --allowed-signers FILE",
	}, verdict.Party{}
}

// principal is the address that the signer may sign as: the committer's own where it is
// one of them, else the first that is no pattern.
func (s signer) principal(committer string) string {
	if listedIn(s.principals, committer) {
		return committer
	}
	for _, p := range s.principals {
		if !strings.ContainsAny(p, "*?!") {
			return p
		}
	}
	return ""
}

// listedIn matches against a pattern list of OpenSSH, in which ! takes out.
func listedIn(list []string, word string) bool {
	found := false
	for _, p := range list {
		p, not := strings.CutPrefix(p, "!")
		if !globMatches(p, word, false) {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

// sshBlob is the signature of PROTOCOL.sshsig behind its magic and version.
type sshBlob struct {
	Key, Namespace, Reserved, Hash, Signature string
}

func parseSSH(armored string) (sshBlob, error) {
	var out sshBlob
	block, _ := pem.Decode([]byte(armored + "\n"))
	if block == nil || block.Type != "SSH SIGNATURE" {
		return out, fmt.Errorf("it is not armored as one")
	}
	blob, ok := bytes.CutPrefix(block.Bytes, []byte(sshMagic))
	if !ok || len(blob) < 4 || binary.BigEndian.Uint32(blob) != 1 {
		return out, fmt.Errorf("it is not of version 1")
	}
	err := ssh.Unmarshal(blob[4:], &out)
	return out, err
}

func sshSum(hash string, data []byte) ([]byte, bool) {
	switch hash {
	case "sha256":
		sum := sha256.Sum256(data)
		return sum[:], true
	case "sha512":
		sum := sha512.Sum512(data)
		return sum[:], true
	}
	return nil, false
}
