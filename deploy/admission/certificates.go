package admission

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"verdict"
)

// CAFile is the name of the file that holds the certificate authority of the endpoint, with
// its key: below the state of the server, never beside what is backed up for others to read.
const CAFile = "admission-ca.pem"

const (
	caLife      = 10 * 365 * 24 * time.Hour
	servingLife = 30 * 24 * time.Hour
	renewBefore = 10 * 24 * time.Hour
	maxCAFile   = 64 << 10
	backdated   = time.Hour // for clocks of clusters that are behind
	// warnBefore is how long before the authority ends it is said, once a day: clusters are told
	// to trust the next one by hand.
	warnBefore = 90 * 24 * time.Hour
)

// Certificates are what the endpoint shows to clusters: a certificate authority of its own,
// which clusters are told to trust with this endpoint and nothing else, and certificates that
// it issues for a month at a time. They are renewed while connections go on.
type Certificates struct {
	now  func() time.Time
	rand io.Reader
	ca   *x509.Certificate
	key  *ecdsa.PrivateKey
	// hosts are the names and addresses under which clusters reach the endpoint.
	hosts []string

	current atomic.Pointer[tls.Certificate]
	mu      sync.Mutex // held while one is issued
}

// MakeCertificates reads the certificate authority in a folder, and makes it on its first use.
// Several processes may do so at once: one of them makes it.
func MakeCertificates(dir string, hosts []string, now func() time.Time) (*Certificates, error) {
	path := filepath.Join(dir, CAFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := begin(path, now); err != nil {
			return nil, unusable(path, err)
		}
	}
	return OpenCertificates(path, hosts, now)
}

// OpenCertificates reads a certificate authority with its key from a file in PEM. Replicas
// that clusters reach under one name need the same file.
func OpenCertificates(path string, hosts []string, now func() time.Time) (*Certificates, error) {
	c := &Certificates{now: now, rand: rand.Reader, hosts: slices.Clone(hosts)}
	if len(hosts) == 0 {
		return nil, &verdict.Error{Code: verdict.CodeUsage, What: "nothing says under which name clusters reach the admission endpoint", Remedy: "name it in --public-url, or listen at an address that they reach"}
	}
	content, err := readCA(path)
	if err != nil {
		return nil, unusable(path, err)
	}
	if err := c.load(content); err != nil {
		return nil, unusable(path, err)
	}
	if left := c.ca.NotAfter.Sub(now()); left < servingLife {
		return nil, unusable(path, fmt.Errorf("it ends at %s", c.ca.NotAfter.Format(time.RFC3339)))
	}
	return c, nil
}

func unusable(path string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "the certificate authority of the admission endpoint in " + path + " cannot be used",
		Remedy: "restore that file, or replace the authority as docs/admission.md says; in a hurry move the file away, so that another is made, and apply to each cluster what verdict admission manifests prints then", Err: err,
	}
}

func readCA(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// A group may read it: so orchestrators hand out secrets to a process without rights.
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm()&0o037 != 0 {
		return nil, errors.Join(err, errors.New("it is no file that only its owner and group may read: chmod 600"))
	}
	return io.ReadAll(io.LimitReader(f, maxCAFile))
}

// begin makes the authority and puts it in place, unless another process was faster.
func begin(path string, now func() time.Time) error {
	c := &Certificates{now: now, rand: rand.Reader}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t, err := c.template(caLife)
	if err != nil {
		return err
	}
	t.Subject = pkix.Name{CommonName: "Verdict admission"}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero, t.KeyUsage = true, true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(c.rand, t, t, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	content := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	return putOnce(path, content)
}

// putOnce writes a file whole, where there is none yet.
func putOnce(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // readable by its owner alone
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		if err = os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	return errors.Join(err, os.Remove(f.Name()))
}

func (c *Certificates) load(content []byte) error {
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return err
			}
			c.ca = cert
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return err
			}
			c.key, _ = key.(*ecdsa.PrivateKey)
		}
	}
	if c.ca == nil || c.key == nil || !c.key.PublicKey.Equal(c.ca.PublicKey) || !c.ca.IsCA {
		return errors.New("it holds no certificate authority with its key")
	}
	return nil
}

func (c *Certificates) template(life time.Duration) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	if _, err := io.ReadFull(c.rand, serial); err != nil {
		return nil, err
	}
	serial[0] &= 0x7f // a serial number is positive
	now := c.now().UTC()
	return &x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial), NotBefore: now.Add(-backdated), NotAfter: now.Add(life)}, nil
}

// Ends is when the authority ends, and with it every certificate that it issued.
func (c *Certificates) Ends() time.Time { return c.ca.NotAfter }

// Watch says once a day that the authority ends soon, until ctx ends. It returns nil.
func (c *Certificates) Watch(ctx context.Context, log *slog.Logger) error {
	for ctx.Err() == nil {
		if left := c.Ends().Sub(c.now()); left < warnBefore {
			log.Warn("the certificate authority of the admission endpoint ends soon, and clusters will trust nothing here: docs/admission.md says how it is replaced", "ends", c.Ends().UTC(), "days", int(left/(24*time.Hour)))
		}
		pause(ctx, 24*time.Hour)
	}
	return nil
}

// CA is the certificate of the authority in PEM: what clusters are told to trust.
func (c *Certificates) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.ca.Raw})
}

// TLS is the configuration of the listener. Where clients is not nil, only a cluster that
// shows a certificate of theirs is answered.
func (c *Certificates) TLS(clients *x509.CertPool) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: c.certificate, Time: c.now}
	if clients != nil {
		t.ClientCAs, t.ClientAuth = clients, tls.RequireAndVerifyClientCert
	}
	return t
}

// certificate gives the one that holds, and issues the next before it ends. A handshake asks
// for it: connections that are open go on with the one that they were opened with.
func (c *Certificates) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if now := c.now(); c.holds(now) {
		return c.current.Load(), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holds(c.now()) { // another handshake was faster
		return c.current.Load(), nil
	}
	next, err := c.issue()
	if err != nil {
		return nil, fmt.Errorf("issue the certificate of the admission endpoint: %w", err)
	}
	c.current.Store(next)
	return next, nil
}

// holds reports whether the current certificate is far from its end, and has begun: a clock
// may have been set back.
func (c *Certificates) holds(now time.Time) bool {
	t := c.current.Load()
	return t != nil && now.Before(t.Leaf.NotAfter.Add(-renewBefore)) && !now.Before(t.Leaf.NotBefore)
}

func (c *Certificates) issue() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t, err := c.template(servingLife)
	if err != nil {
		return nil, err
	}
	t.Subject = pkix.Name{CommonName: c.hosts[0]}
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range c.hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	if t.NotAfter.After(c.ca.NotAfter) {
		t.NotAfter = c.ca.NotAfter
	}
	der, err := x509.CreateCertificate(c.rand, t, c.ca, key.Public(), c.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{bytes.Clone(der)}, PrivateKey: key, Leaf: leaf}, err
}

// OnlyCertificates gives the certificates in a PEM file, without a key or anything else that
// stands there.
func OnlyCertificates(content []byte) (out []byte) {
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			return out
		}
		if _, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
		}
	}
}
