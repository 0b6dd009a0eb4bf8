// Package remote signs with keys that live at a key service: the private half never comes
// here. What all services have in common is here, each service is a leaf below.
//
// A signer is one version of one key. Its public half is fetched once and kept; a
// signature that it refuses is never handed out, whatever the service says.
package remote

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"verdict"
	"verdict/evidence"
)

// Algorithm is what a key is for here.
type Algorithm int

const (
	ECDSA   Algorithm = iota + 1 // P-256: signs the sha256 digest that it is given, in ASN.1 DER
	Ed25519                      // signs the message that it is given, 64 bytes
)

// String is the word for people.
func (a Algorithm) String() string {
	if a == Ed25519 {
		return "Ed25519"
	}
	return "ECDSA P-256"
}

// Service is one version of one key at a service. Its errors are for people: they say
// which right is missing, or what is wrong with the key.
type Service interface {
	// Name is the reference by which people know the key.
	Name() string
	// PublicKey fetches the public half of a key that may sign: *ecdsa.PublicKey or
	// ed25519.PublicKey.
	PublicKey(ctx context.Context) (crypto.PublicKey, error)
	// Sign asks for one signature.
	Sign(ctx context.Context, a Algorithm, b []byte) ([]byte, error)
}

// Signer is an evidence.Signer whose key is elsewhere.
type Signer struct {
	service Service
	public  *ecdsa.PublicKey
	id      string
}

var _ evidence.Signer = (*Signer)(nil)

// Open fetches and keeps the public half. A key that is no ECDSA P-256 key is refused.
func Open(ctx context.Context, s Service) (*Signer, error) {
	public, err := s.PublicKey(ctx)
	if err != nil {
		return nil, err
	}
	key, ok := public.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, WrongKey(s.Name(), "it is "+kindOf(public), ECDSA)
	}
	id := evidence.KeyID(key)
	if id == "" {
		return nil, WrongKey(s.Name(), "its public half is no point of P-256", ECDSA)
	}
	return &Signer{s, key, id}, nil
}

// KeyID implements evidence.Signer.
func (k *Signer) KeyID() string { return k.id }

// Public implements evidence.Signer.
func (k *Signer) Public() *ecdsa.PublicKey { return k.public }

// Sign implements evidence.Signer. A digest of another length is refused here: services
// cut or pad it.
func (k *Signer) Sign(ctx context.Context, digest []byte) ([]byte, error) {
	if len(digest) != sha256.Size {
		return nil, fmt.Errorf("sign with %s: a digest of %d bytes", k.service.Name(), len(digest))
	}
	der, err := k.service.Sign(ctx, ECDSA, digest)
	if err != nil {
		return nil, err
	}
	if !ecdsa.VerifyASN1(k.public, digest, der) {
		return nil, strange(k.service.Name())
	}
	return der, nil
}

// LogKey signs the checkpoints of a log with an Ed25519 key that is elsewhere. It is a
// ledger.LogKey.
type LogKey struct {
	service Service
	public  ed25519.PublicKey
	timeout time.Duration
	now     func() time.Time

	mu   sync.Mutex // one signature at a time: readers wait for the one that they all want
	last string     // message; guarded by mu, as what follows
	at   time.Time  // when the answer to it came
	sig  []byte     // of last; nil: err is why not
	err  error
}

const (
	signAfter  = 20 * time.Second // bounds the signature of a checkpoint, which has no caller to bound it
	failsAgain = time.Second      // who waited for a signature that failed in this time is not made to wait again
)

// OpenLog fetches and keeps the public half. A key that is no Ed25519 key is refused.
func OpenLog(ctx context.Context, s Service) (*LogKey, error) {
	public, err := s.PublicKey(ctx)
	if err != nil {
		return nil, err
	}
	key, ok := public.(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PublicKeySize {
		return nil, WrongKey(s.Name(), "it is "+kindOf(public), Ed25519)
	}
	return &LogKey{service: s, public: key, timeout: signAfter, now: time.Now}, nil
}

// Public is the public half.
func (k *LogKey) Public() ed25519.PublicKey { return k.public }

// Signer signs notes under the origin.
func (k *LogKey) Signer(origin string) (note.Signer, error) {
	line, err := evidence.VerifierKey(origin, k.public)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(line)
	if err != nil {
		return nil, fmt.Errorf("verifier key of %s: %w", origin, err)
	}
	return &noteSigner{v, k}, nil
}

// noteSigner is a LogKey under one origin. Name and hash are those of the verifier.
type noteSigner struct {
	note.Verifier
	key *LogKey
}

// Sign implements note.Signer.
func (s *noteSigner) Sign(message []byte) ([]byte, error) { return s.key.sign(message) }

// sign asks for a signature, unless the message is that of the last one: Ed25519 gives the
// same signature for it, and a checkpoint is read more often than it changes.
func (k *LogKey) sign(message []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.at.IsZero() && k.last == string(message) && (k.sig != nil || k.now().Sub(k.at) < failsAgain) {
		return k.sig, k.err
	}
	k.sig, k.err = k.ask(message)
	k.last, k.at = string(message), k.now()
	return k.sig, k.err
}

func (k *LogKey) ask(message []byte) ([]byte, error) {
	// The interface of signed notes has no context, and a commit waits for no one's.
	ctx, cancel := context.WithTimeout(context.Background(), k.timeout)
	defer cancel()
	sig, err := k.service.Sign(ctx, Ed25519, message)
	if err != nil {
		return nil, err
	}
	if len(sig) != ed25519.SignatureSize || !ed25519.Verify(k.public, message, sig) {
		return nil, strange(k.service.Name())
	}
	return sig, nil
}

// strange is a signature that the key's own public half refuses.
func strange(name string) error {
	return &verdict.Error{
		Code: verdict.CodeRefused, What: name + " gave a signature that its own public key refuses: it is of another key, or of something else",
		Remedy: "nothing was recorded with it. Look whether the key was replaced or somebody answers in the service's place, then name the version that is meant",
	}
}

// WrongKey is the error for a key that cannot do what it is named for.
func WrongKey(name, why string, want Algorithm) error {
	remedy := "name a key for signing of the kind " + want.String()
	if want == Ed25519 {
		remedy += ", which checkpoints are signed with; where the service has none, keep the log key in a file"
	}
	return &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("%s cannot sign here: %s", name, why), Remedy: remedy}
}

func kindOf(public crypto.PublicKey) string {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return "an ECDSA key on the curve " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "an Ed25519 key"
	}
	return strings.TrimPrefix(fmt.Sprintf("a key of the kind %T", public), "*")
}
