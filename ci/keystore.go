package ci

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"strings"
)

// Key stores are binary: they are told by their first bytes, whatever they are called.

var keystoreRule = formRule("keystore-private-key", "A key store with a private key lies in the tree, behind no more than its password.")

// keystore says what a file holds that begins as a key store does.
type keystore struct {
	form     string // "" for another file
	key      bool   // there is a private or a secret key in it
	unknown  bool   // it cannot be told without the password
	publicID string
	behind   []byte // what lies behind its end, or cannot be read as part of it
}

// maxEntries bounds what is read of one store.
const maxEntries = 10_000

func readKeystore(content []byte) keystore {
	switch {
	case bytes.HasPrefix(content, []byte("\xfe\xed\xfe\xed")):
		return readJKS("JKS", content[4:])
	case bytes.HasPrefix(content, []byte("\xce\xce\xce\xce")):
		return readJKS("JCEKS", content[4:])
	}
	return readPKCS12(content)
}

// jksDigest is the length of the digest that ends a store of Java's.
const jksDigest = 20

// readJKS reads the entries of Java's own format: a trust store holds certificates
// alone, which are no secret. It is laid out in sun.security.provider.JavaKeyStore.
func readJKS(form string, data []byte) keystore {
	k := keystore{form: form}
	number := func() uint32 {
		if len(data) < 4 {
			data = nil
			return 0
		}
		n := binary.BigEndian.Uint32(data)
		data = data[4:]
		return n
	}
	take := func(n uint32) []byte {
		if uint64(n) > uint64(len(data)) {
			if k.unknown = true; len(data) > 0 {
				k.behind, data = data, nil
			}
			return nil
		}
		out := data[:n]
		data = data[n:]
		return out
	}
	name := func() {
		if n := take(2); n != nil {
			take(uint32(binary.BigEndian.Uint16(n)))
		}
	}
	version, entries := number(), number()
	if version != 1 && version != 2 {
		return keystore{}
	}
	certificate := func() []byte {
		if version == 2 {
			name() // its type
		}
		return take(number())
	}
	for range min(entries, maxEntries) {
		tag := number()
		if tag >= 1 && tag <= 3 {
			name()
			take(8) // when it was made
		}
		switch tag {
		case 1:
			k.key = true
			take(number()) // the key, encrypted
			for i := range min(number(), 100) {
				if der := certificate(); i == 0 && k.publicID == "" {
					k.publicID = certificateID(der)
				}
			}
		case 2:
			certificate()
		case 3: // a secret key, whose length is not told
			k.key = true
			return k
		default:
			k.unknown, k.behind = !k.key, data
			return k
		}
	}
	if len(data) > 0 && len(data) != jksDigest {
		k.behind = data
	}
	k.unknown = k.unknown && !k.key
	return k
}

func certificateID(der []byte) string {
	if c, err := x509.ParseCertificate(der); err == nil {
		return spkiID(c.PublicKey)
	}
	return ""
}

var (
	oidData      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSigned    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidEncrypted = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06")         // PKCS #7 encrypted data
	oidKeyBag    = []byte("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x01") // a key in the clear
	oidShrouded  = []byte("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02") // a key that is encrypted
)

// readPKCS12 reads the frame of RFC 7292. The kind of a key's bag stands in the clear in
// the stores that common tools write; certificates are encrypted as a whole.
func readPKCS12(content []byte) keystore {
	if len(content) < 32 || content[0] != 0x30 {
		return keystore{}
	}
	var frame struct {
		Version int
		Safe    struct {
			Type asn1.ObjectIdentifier
			Rest asn1.RawValue `asn1:"optional,explicit,tag:0"`
		}
		Mac asn1.RawValue `asn1:"optional"`
	}
	var behind []byte
	var err error
	if content[1] == 0x80 { // without lengths, as some tools write it
		if !bytes.HasPrefix(content[2:], []byte("\x02\x01\x03\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07")) {
			return keystore{}
		}
	} else if behind, err = asn1.Unmarshal(content, &frame); err != nil || frame.Version != 3 || !frame.Safe.Type.Equal(oidData) && !frame.Safe.Type.Equal(oidSigned) {
		return keystore{}
	}
	k := keystore{form: "PKCS #12", behind: behind, key: bytes.Contains(content, oidKeyBag) || bytes.Contains(content, oidShrouded)}
	k.unknown = !k.key && bytes.Contains(content, oidEncrypted)
	return k
}

// note says of which form the store is.
func (k keystore) note() string { return strings.TrimSpace("; it is of the form " + k.form) }
