package ledger_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"verdict/blob/dir"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/sqlite"
)

// BenchmarkLeave leaves a log for the program that is measured: VERDICT_BENCH_LEAVE names a
// folder that gets data and state, as --data and XDG_STATE_HOME have them, and
// VERDICT_BENCH_ENTRIES says how large it is. Its only key is that of the machine.
func BenchmarkLeave(b *testing.B) {
	folder := os.Getenv("VERDICT_BENCH_LEAVE")
	if folder == "" {
		b.Skip("nobody wants it: VERDICT_BENCH_LEAVE names no folder")
	}
	n, err := strconv.Atoi(os.Getenv("VERDICT_BENCH_ENTRIES"))
	if err != nil {
		b.Fatal(err)
	}
	data := filepath.Join(folder, "data")
	keys := filepath.Join(data, "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		b.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(keys, "local.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		b.Fatal(err)
	}
	signer, err := evidence.OpenKey(filepath.Join(keys, "local.pem"))
	if err != nil {
		b.Fatal(err)
	}
	logKey, err := evidence.CreateLogKey(filepath.Join(keys, "log.key"))
	if err != nil {
		b.Fatal(err)
	}
	engine, err := sqlite.Open(b.Context(), filepath.Join(data, "ledger.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.New(b.Context(), engine)
	if err != nil {
		b.Fatal(err)
	}
	blobs, err := dir.Open(filepath.Join(data, "blobs"), dir.Options{})
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(context.Background(), ledger.Options{
		Store: s, Blobs: blobs, LogKey: logKey, Signer: signer, AnchorDir: filepath.Join(folder, "state", "verdict", "anchor"), Now: time.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	ledger.Fill(b, l, private, n-1)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}
