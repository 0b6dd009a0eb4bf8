package ledger_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

func newNoise() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

// sigstoreSays gives the answer of sigstore-go about an exported bundle, offline.
func sigstoreSays(t *testing.T, dir string, index int64) error {
	t.Helper()
	trusted, err := root.NewTrustedRootFromPath(filepath.Join(dir, "trusted_root.json"))
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(filepath.Join(dir, "key.pub"))
	if err != nil {
		return err
	}
	public, err := evidence.ParsePublicPEM(pem)
	if err != nil {
		return err
	}
	verifier, err := signature.LoadDefaultVerifier(public)
	if err != nil {
		return err
	}
	key := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(verifier, time.Time{}, time.Time{}), nil
	})
	v, err := verify.NewVerifier(root.TrustedMaterialCollection{trusted, key}, verify.WithTransparencyLog(1), verify.WithNoObserverTimestamps())
	if err != nil {
		return err
	}
	b, err := bundle.LoadJSONFromPath(filepath.Join(dir, fmt.Sprintf("%d.sigstore.json", index)))
	if err != nil {
		return err
	}
	_, err = v.Verify(b, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithKey()))
	return err
}

func TestWhatIsExportedVerifiesInSigstoreOffline(t *testing.T) {
	b := newBed(t)
	l := b.filled(300)
	dir := filepath.Join(t.TempDir(), "out")
	r, err := l.Export(t.Context(), dir, ledger.ExportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Bundles != 302 || r.Unproved != 0 || r.Checkpoint.Size != 302 {
		t.Errorf("%+v", r)
	}
	for _, index := range []int64{0, 1, 255, 256, 301} {
		if err := sigstoreSays(t, dir, index); err != nil {
			t.Errorf("entry %d: %v", index, err)
		}
	}
	path := filepath.Join(dir, "7.sigstore.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.ReplaceAll(good, []byte(`"logIndex":"7"`), []byte(`"logIndex":"8"`))
	if err := os.WriteFile(path, bad, 0o644); err != nil || bytes.Equal(good, bad) {
		t.Fatal("the proof was not found in the bundle")
	}
	if err := sigstoreSays(t, dir, 7); err == nil {
		t.Error("a proof for another place is taken")
	}
}

func TestTheSameLogExportsTheSameBytes(t *testing.T) {
	b := newBed(t)
	l := b.filled(40)
	if _, err := l.Ingest(t.Context(), sample(t), evidence.Producer{Key: "k"}, b.key, b.context()); err != nil {
		t.Fatal(err)
	}
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	for _, dir := range []string{one, two} {
		if _, err := l.Export(t.Context(), dir, ledger.ExportOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	manifest, err := os.ReadFile(filepath.Join(one, "MANIFEST.sha256"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(filepath.Join(two, "MANIFEST.sha256")); err != nil || !bytes.Equal(manifest, again) {
		t.Errorf("two exports differ: %v", err)
	}
	listed := 0
	for lines := bufio.NewScanner(bytes.NewReader(manifest)); lines.Scan(); listed++ {
		want, name, _ := strings.Cut(lines.Text(), "  ")
		data, err := os.ReadFile(filepath.Join(one, name))
		if sum := sha256.Sum256(data); err != nil || hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	files := 0
	err = fs.WalkDir(os.DirFS(one), ".", func(path string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			files++
		}
		return err
	})
	if err != nil || files != listed+1 {
		t.Errorf("%d files, %d listed, %v", files, listed, err)
	}
	if _, err := l.Export(t.Context(), one, ledger.ExportOptions{}); verdict.AsError(err).Code != verdict.CodeConflict {
		t.Errorf("into a folder that is not empty: %v", err)
	}
}

func TestAClosedEpochIsExportedToo(t *testing.T) {
	b := newBed(t)
	l := b.filled(4)
	l.Close()
	b.newEpoch(t)
	l = b.open()
	defer l.Close()
	b.append(l, b.other(10))
	dir := filepath.Join(t.TempDir(), "out")
	r, err := l.Export(t.Context(), dir, ledger.ExportOptions{})
	if err != nil || r.Bundles != 8 || r.Unproved != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, index := range []int64{2, 6, 7} {
		if err := sigstoreSays(t, dir, index); err != nil {
			t.Errorf("entry %d: %v", index, err)
		}
	}
}
