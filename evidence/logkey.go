package evidence

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// LogKey is the Ed25519 key that a log signs its checkpoints with. It lives in a file
// like a KeyFile: PKCS#8 in PEM, readable by its owner alone.
type LogKey struct {
	path string
	key  ed25519.PrivateKey
}

// CreateLogKey makes a new log key and writes it to path; see CreateKey.
func CreateLogKey(path string) (*LogKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create log key %s: %w", path, err)
	}
	if err := writeKey(path, key); err != nil {
		return nil, err
	}
	return &LogKey{path: path, key: key}, nil
}

// OpenLogKey reads a log key; see OpenKey.
func OpenLogKey(path string) (*LogKey, error) {
	parsed, err := readKey(path)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, invalid("the key in "+path+" is not an Ed25519 key", "restore the log's own key file from a backup: checkpoints are signed with Ed25519", nil)
	}
	return &LogKey{path: path, key: key}, nil
}

// Path is the file that the key lives in.
func (k *LogKey) Path() string { return k.path }

// Public is the public key.
func (k *LogKey) Public() ed25519.PublicKey { return k.key.Public().(ed25519.PublicKey) }

// Signer signs checkpoints under the log's origin, in the form of
// golang.org/x/mod/sumdb/note.
func (k *LogKey) Signer(origin string) (note.Signer, error) {
	vkey, err := VerifierKey(origin, k.Public())
	if err != nil {
		return nil, err
	}
	// name+hash+key: the hash is the same for both halves of the key.
	hash := strings.Split(vkey[len(origin)+1:], "+")[0]
	secret := append([]byte{noteEd25519}, k.key.Seed()...)
	return note.NewSigner("PRIVATE+KEY+" + origin + "+" + hash + "+" + base64.StdEncoding.EncodeToString(secret))
}

// noteEd25519 is the algorithm byte of a note key.
const noteEd25519 = 1

// VerifierKey is the one line by which others check the log's checkpoints (C2SP
// signed-note): origin, key hash and public key.
func VerifierKey(origin string, pub ed25519.PublicKey) (string, error) {
	if origin == "" || strings.ContainsAny(origin, "+ \t\r\n") {
		return "", invalid(fmt.Sprintf("%q cannot be the origin of a log", origin), "use a host name, such as log.example.com", nil)
	}
	return note.NewEd25519VerifierKey(origin, pub)
}

// LogID names a log in bundles and trusted roots: the sha256 of its public key's
// SubjectPublicKeyInfo. It is not the key hash of a note, which covers the origin too.
func LogID(pub ed25519.PublicKey) []byte {
	sum := sha256.Sum256(logSPKI(pub))
	return sum[:]
}

// logSPKI is the SubjectPublicKeyInfo of an Ed25519 key (RFC 8410).
func logSPKI(pub ed25519.PublicKey) []byte {
	return append([]byte("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"), pub...)
}

// LogPublicPEM writes the log's public key as SubjectPublicKeyInfo in PEM.
func LogPublicPEM(pub ed25519.PublicKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: logSPKI(pub)}))
}

// ParseLogPublicPEM reads what LogPublicPEM wrote.
func ParseLogPublicPEM(b []byte) (ed25519.PublicKey, error) {
	const remedy = "give the log's public key as `verdict log export` writes it"
	block, _ := pem.Decode(b)
	if len(b) > maxKeyFile || block == nil || block.Type != "PUBLIC KEY" {
		return nil, invalid("this is not a public key in PEM", remedy, nil)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, invalid("the log's public key cannot be read", remedy, err)
	}
	pub, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, invalid("the log's public key is not an Ed25519 key", remedy, nil)
	}
	return pub, nil
}

// TrustedLog is one log of a trusted root.
type TrustedLog struct {
	Origin string // a host name: the origin line of its checkpoints
	Public ed25519.PublicKey
	Start  time.Time // from when the key counts
	End    time.Time // zero: it still counts
}

// TrustedRoot writes a Sigstore trusted_root.json that names these logs, by which
// cosign and sigstore-go check our bundles offline. The host of a log's baseUrl is the
// origin of its checkpoints: that is where those tools take it from.
func TrustedRoot(logs ...TrustedLog) ([]byte, error) {
	root := wireRoot{MediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1", Tlogs: make([]wireLog, 0, len(logs))}
	for _, l := range logs {
		w := wireLog{BaseURL: "https://" + l.Origin, HashAlgorithm: "SHA2_256", LogID: keyID{LogID(l.Public)}}
		w.PublicKey = wireKey{RawBytes: logSPKI(l.Public), KeyDetails: "PKIX_ED25519"}
		w.PublicKey.ValidFor.Start = l.Start.UTC().Format(time.RFC3339)
		if !l.End.IsZero() {
			w.PublicKey.ValidFor.End = l.End.UTC().Format(time.RFC3339)
		}
		root.Tlogs = append(root.Tlogs, w)
	}
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("trusted root: %w", err)
	}
	return append(b, '\n'), nil
}

type wireRoot struct {
	MediaType string    `json:"mediaType"`
	Tlogs     []wireLog `json:"tlogs"`
}

type wireLog struct {
	BaseURL       string  `json:"baseUrl"`
	HashAlgorithm string  `json:"hashAlgorithm"`
	PublicKey     wireKey `json:"publicKey"`
	LogID         keyID   `json:"logId"`
}

type wireKey struct {
	RawBytes   []byte `json:"rawBytes"`
	KeyDetails string `json:"keyDetails"`
	ValidFor   struct {
		Start string `json:"start"`
		End   string `json:"end,omitempty"`
	} `json:"validFor"`
}
