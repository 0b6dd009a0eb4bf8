package evidence

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"verdict"
)

const keyRemedy = "use an ECDSA P-256 key in PEM, as `verdict keys create` and `openssl ecparam -name prime256v1 -genkey` make it"

// keyEnding is how the name of a signing key's file ends.
const keyEnding = ".pem"

// KeyFile is a signing key that lives in a file: ECDSA P-256, PKCS#8 in PEM, readable
// by its owner alone. It is a Signer, safe for use by several goroutines.
type KeyFile struct {
	path string
	id   string
	key  *ecdsa.PrivateKey
}

// CreateKey makes a new key and writes it to path, at once or not at all. A file that
// is there already is never overwritten: an *verdict.Error with CodeConflict.
func CreateKey(path string) (*KeyFile, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create key %s: %w", path, err)
	}
	if err := writeKey(path, key); err != nil {
		return nil, err
	}
	return &KeyFile{path: path, id: KeyID(&key.PublicKey), key: key}, nil
}

// OpenKey reads a key that CreateKey or another tool wrote. A file that others may read
// is refused. Its errors are *verdict.Error.
func OpenKey(path string) (*KeyFile, error) {
	parsed, err := readKey(path)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, invalid("the key in "+path+" is not an ECDSA P-256 key", keyRemedy, nil)
	}
	return &KeyFile{path: path, id: KeyID(&key.PublicKey), key: key}, nil
}

// Path is the file that the key lives in.
func (k *KeyFile) Path() string { return k.path }

// KeyID implements Signer.
func (k *KeyFile) KeyID() string { return k.id }

// Public implements Signer.
func (k *KeyFile) Public() *ecdsa.PublicKey { return &k.key.PublicKey }

// PublicPEM is the public key as others need it.
func (k *KeyFile) PublicPEM() string { return PublicPEM(k.Public()) }

// Sign implements Signer.
func (k *KeyFile) Sign(_ context.Context, digest []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, k.key, digest)
}

// PublicPEM writes a P-256 public key as SubjectPublicKeyInfo in PEM. It is empty for a
// key on another curve.
func PublicPEM(pub *ecdsa.PublicKey) string {
	spki, err := appendSPKI(nil, pub)
	if err != nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
}

// ParsePublicPEM reads a P-256 public key in PEM. Its errors are *verdict.Error with
// CodeInvalid.
func ParsePublicPEM(b []byte) (*ecdsa.PublicKey, error) {
	block, _ := pem.Decode(b)
	if len(b) > maxKeyFile || block == nil || block.Type != "PUBLIC KEY" {
		return nil, invalid("this is not a public key in PEM", keyRemedy, nil)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, invalid("the public key cannot be read", keyRemedy, err)
	}
	pub, ok := parsed.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, invalid("the public key is not an ECDSA P-256 key", keyRemedy, nil)
	}
	return pub, nil
}

// writeKey writes a private key to a file that must not exist yet. The key is complete
// and synced before the file has its name.
func writeKey(path string, key crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode key %s: %w", path, err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unwritable(path, err)
	}
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return unwritable(path, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return unwritable(path, err)
	}
	// A link, unlike a rename, never replaces what is there.
	if err := os.Link(f.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return &verdict.Error{
				Code: verdict.CodeConflict, What: "there is a key already in " + path,
				Remedy: "use it, or replace it and keep the old one: " + replacing(path),
			}
		}
		return unwritable(path, err)
	}
	return syncFolder(dir)
}

func unwritable(path string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "the key file " + path + " cannot be written",
		Remedy: "make its folder writable for you, or choose another data directory with --data DIR", Err: err,
	}
}

// nameOf is the name by which commands know the key in a file.
func nameOf(path string) string { return strings.TrimSuffix(filepath.Base(path), keyEnding) }

// replacing is the command that replaces the key in a file. Only the key of the log has
// another ending: a log goes on under another name once its key is gone.
func replacing(path string) string {
	if filepath.Ext(path) != keyEnding {
		return "mv " + path + " " + path + ".old && verdict log epoch --lost-key"
	}
	return "verdict keys rotate " + nameOf(path)
}

// readKey reads a private key from a regular file that only its owner may read; see private. It is
// opened once and judged by what was opened, so that nobody can swap it in between.
func readKey(path string) (crypto.PrivateKey, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // opening a FIFO would wait for ever
		return nil, invalid(path+" is not a regular file", keyRemedy, nil)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &verdict.Error{
			Code: verdict.CodeNotFound, What: "there is no key in " + path,
			Remedy: "make one: verdict keys create " + nameOf(path) + ", or put the file back from a backup", Err: err,
		}
	}
	if err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the key in " + path + " cannot be opened",
			Remedy: "run as the user that owns the file", Err: err,
		}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	if !private(info) {
		return nil, &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("others may read the key in %s (mode %04o)", path, info.Mode().Perm()),
			Remedy: "chmod 600 " + path + ", and replace the key if somebody may have copied it: " + replacing(path),
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	return parsePrivate(path, b)
}

// parsePrivate reads PKCS#8, and the older form that openssl writes for elliptic curves.
func parsePrivate(path string, b []byte) (crypto.PrivateKey, error) {
	for len(b) <= maxKeyFile {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		var key crypto.PrivateKey
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default: // openssl puts the curve's parameters first
			b = rest
			continue
		}
		if err != nil {
			return nil, invalid("the key in "+path+" cannot be read", keyRemedy, err)
		}
		return key, nil
	}
	return nil, invalid(path+" holds no private key in PEM", keyRemedy, nil)
}

// TemporaryKey makes a key that lives in memory alone, for one run of a pipeline. It has no
// Path.
func TemporaryKey() (*KeyFile, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for this run: %w", err)
	}
	return &KeyFile{id: KeyID(&key.PublicKey), key: key}, nil
}
