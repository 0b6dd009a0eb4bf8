package ci

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"verdict"
)

// Some secrets have a half that is public: it stands in logs of use, and whoever knows
// it can tell whether the secret was used. identify finds it beside the secret.
var identify = map[string]func(f *finding, near string, at int){
	"private-key":             identifyPEM,
	"putty-private-key":       identifyEncrypted,
	"ssh2-private-key":        identifyEncrypted,
	"aws-access-token":        func(f *finding, _ string, _ int) { f.publicID = awsPrefix + f.secret },
	"aws-secret-access-key":   identifyNearest(awsID, awsPrefix),
	"azure-ad-client-secret":  identifyNearest(azureID, "azure-client:"),
	"terraform-state-secret":  identifyPEM,
	"kubeconfig-credential":   identifyPEM,
	"azure-shared-access-key": identifyNearest(azureName, "azure-key-name:"),
}

const awsPrefix = "aws-access-key:"

var (
	awsID     = regexp.MustCompile(`\b((?:AKIA|ASIA)[A-Z2-7]{16})\b`)
	azureID   = regexp.MustCompile(`(?i)(?:client|app|application)[_-]?id["']?\s{0,3}[=:]\s{0,3}["']?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b`)
	azureName = regexp.MustCompile(`(?i)SharedAccessKeyName\s{0,3}=\s{0,3}([\w.-]{1,64})`)
	gcpEmail  = regexp.MustCompile(`"client_email"\s{0,3}:\s{0,3}"([^"\s]{1,200})"`)
	gcpKey    = regexp.MustCompile(`"private_key_id"\s{0,3}:\s{0,3}"([0-9a-f]{16,64})"`)
)

// Around a secret, so many bytes are looked at for the id that belongs to it.
const idBefore, idBehind = 2 << 10, 12 << 10

// identified completes a finding from the text in which it begins at at.
func identified(f finding, text []byte, at int) finding {
	look, known := identify[f.rule.ID]
	if !known {
		return f
	}
	from := max(0, at-idBefore)
	look(&f, string(text[from:min(len(text), at+idBehind)]), at-from)
	return f
}

// identifyAll completes those that were found in the text as it stands.
func identifyAll(all []finding, text []byte) {
	var starts []int // of the lines
	for i, f := range all {
		if _, known := identify[f.rule.ID]; !known || f.depth > 0 {
			continue
		}
		if starts == nil {
			starts = []int{0}
			for at, c := range text {
				if c == '\n' {
					starts = append(starts, at+1)
				}
			}
		}
		all[i] = identified(f, text, starts[min(max(int(f.line)-1, 0), len(starts)-1)])
	}
}

// nearest is the id that an expression finds closest to a place.
func nearest(id *regexp.Regexp, near string, at int) string {
	found, distance := "", len(near)+1
	for _, m := range id.FindAllStringSubmatchIndex(near, -1) {
		if d := max(m[2]-at, at-m[2]); d < distance {
			found, distance = near[m[2]:m[3]], d
		}
	}
	return found
}

func identifyNearest(id *regexp.Regexp, prefix string) func(*finding, string, int) {
	return func(f *finding, near string, at int) {
		if found := nearest(id, near, at); found != "" {
			f.publicID = prefix + found
		}
	}
}

const encryptedNote = "; it is encrypted, and as safe as its passphrase"

func (f *finding) encrypted() { f.severity, f.note = verdict.SeverityMedium, f.note+encryptedNote }

func identifyEncrypted(f *finding, _ string, _ int) {
	if strings.Contains(f.secret, "ENCRYPTED") || strings.Contains(f.secret, "\nEncryption: ") && !strings.Contains(f.secret, "\nEncryption: none") {
		f.encrypted()
	}
}

// identifyPEM names a private key by its public half, or by the account that it was
// issued to.
func identifyPEM(f *finding, near string, at int) {
	if !strings.Contains(f.secret, "PRIVATE KEY") {
		return
	}
	block := pemBlock(f.secret)
	if block == nil {
		return
	}
	public, encrypted := publicHalf(block)
	if encrypted {
		f.encrypted()
	}
	f.publicID = spkiID(public)
	if email, id := nearest(gcpEmail, near, at), nearest(gcpKey, near, at); email != "" && id != "" {
		f.publicID = "gcp-key:" + email + "/" + id
	}
}

// maxPEM is the size of a key that is parsed: RSA with 16,384 bits is smaller.
const maxPEM = 16 << 10

// pemBlock reads a block as it stands in files of other kinds too: with the newlines
// written as \n, indented, or quoted line by line.
func pemBlock(text string) *pem.Block {
	if len(text) > maxPEM {
		return nil
	}
	text = strings.NewReplacer(`\r`, "", `\n`, "\n", "\r", "").Replace(text)
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(strings.Trim(line, " \t\"'`,;\\") + "\n")
	}
	block, _ := pem.Decode([]byte(b.String()))
	return block
}

// publicHalf is the public key of a private one; nil where it cannot be told.
func publicHalf(block *pem.Block) (public crypto.PublicKey, encrypted bool) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, true
	}
	switch block.Type {
	case "OPENSSH PRIVATE KEY":
		return opensshPublic(block.Bytes)
	case "RSA PRIVATE KEY":
		return rsaPublic(block.Bytes), false
	case "EC PRIVATE KEY":
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key.Public(), false
		}
	case "PRIVATE KEY":
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if k, ok := key.(interface{ Public() crypto.PublicKey }); ok {
				return k.Public(), false
			}
		}
	}
	return nil, false
}

// rsaPublic reads the first fields of PKCS #1 alone: to check the others costs much, and
// a file that is no good key leaks no less.
func rsaPublic(der []byte) crypto.PublicKey {
	var key struct {
		Version int
		N       *big.Int
		E       int
		Rest    []asn1.RawValue `asn1:"optional"`
	}
	var seq asn1.RawValue
	if _, err := asn1.Unmarshal(der, &seq); err != nil || !seq.IsCompound {
		return nil
	}
	rest, err := asn1.Unmarshal(seq.Bytes, &key.Version)
	if err == nil {
		rest, err = asn1.Unmarshal(rest, &key.N)
	}
	if err == nil {
		_, err = asn1.Unmarshal(rest, &key.E)
	}
	if err != nil || key.N.Sign() <= 0 {
		return nil
	}
	return &rsa.PublicKey{N: key.N, E: key.E}
}

// opensshPublic reads the public half that OpenSSH's format holds in the clear, in an
// encrypted key too (PROTOCOL.key of OpenSSH).
func opensshPublic(data []byte) (crypto.PublicKey, bool) {
	rest, ok := bytes.CutPrefix(data, []byte("openssh-key-v1\x00"))
	if !ok {
		return nil, false
	}
	cipher, rest := sshString(rest)
	_, rest = sshString(rest) // key derivation and its options
	_, rest = sshString(rest)
	encrypted := len(cipher) > 0 && string(cipher) != "none"
	if len(rest) < 4 {
		return nil, encrypted
	}
	blob, _ := sshString(rest[4:])
	kind, blob := sshString(blob)
	switch string(kind) {
	case "ssh-ed25519":
		if key, _ := sshString(blob); len(key) == ed25519.PublicKeySize {
			return ed25519.PublicKey(key), encrypted
		}
	case "ssh-rsa":
		e, blob := sshString(blob)
		n, _ := sshString(blob)
		if exponent := new(big.Int).SetBytes(e); exponent.IsInt64() && exponent.Int64() < 1<<31 && len(n) > 0 {
			return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, encrypted
		}
	case "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521":
		curve := map[byte]elliptic.Curve{'2': elliptic.P256(), '3': elliptic.P384(), '5': elliptic.P521()}[kind[len("ecdsa-sha2-nistp")]]
		_, blob = sshString(blob)
		point, _ := sshString(blob)
		if key, err := ecdsa.ParseUncompressedPublicKey(curve, point); err == nil {
			return key, encrypted
		}
	}
	return nil, encrypted
}

// sshString takes a length of four bytes and so many bytes; nothing when they are not there.
func sshString(data []byte) (s, rest []byte) {
	if len(data) < 4 {
		return nil, nil
	}
	n := binary.BigEndian.Uint32(data)
	if uint64(n) > uint64(len(data)-4) {
		return nil, nil
	}
	return data[4 : 4+n], data[4+n:]
}

// spkiID names a public key by the SHA-256 of its SubjectPublicKeyInfo; empty for nil.
func spkiID(public crypto.PublicKey) string {
	if public == nil {
		return ""
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("public-key:sha256:%x", sha256.Sum256(der))
}
