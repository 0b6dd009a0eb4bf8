package server

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// A check of Azure brings the token of its job along, by which alone it can be answered. It
// is stored until then, and a copy of the database must not give it away: it is sealed by a
// key that is made of the webhook's secret, which is not in the database.

func sealKey(secret []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "verdict: tokens of deliveries", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal encrypts text for the place where it is kept.
func seal(chance io.Reader, secrets [][]byte, place, text string) ([]byte, error) {
	if len(secrets) == 0 || len(secrets[0]) == 0 {
		return nil, errors.New("the delivery brings a secret, and there is nothing to seal it with")
	}
	a, err := sealKey(secrets[0])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, a.NonceSize())
	if _, err := io.ReadFull(chance, nonce); err != nil {
		return nil, fmt.Errorf("seal a secret: %w", err)
	}
	return a.Seal(nonce, nonce, []byte(text), []byte(place)), nil
}

// unseal opens what any of the secrets sealed for the place.
func unseal(secrets [][]byte, place string, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	for _, s := range secrets {
		a, err := sealKey(s)
		if err != nil || len(sealed) < a.NonceSize() {
			continue
		}
		if text, err := a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], []byte(place)); err == nil {
			return string(text), nil
		}
	}
	return "", errors.New("what the delivery brought was sealed by a secret that is no longer configured")
}
