package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"verdict/evidence"
)

// signWithCosign2 is the script command `cosign2 DIGEST HOW…`: what cosign 2 attaches to an
// image of the registry under its tag .sig, one signature for each HOW: by a key
// (cosign.pub), by a certificate that a log witnessed (of $WORKFLOW by $ISSUER, judged by
// trusted_root.json), or by one that no log witnessed (unwitnessed).
func signWithCosign2(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: cosign2 DIGEST key|certificate|unwitnessed…")
	}
	a := newSignatures(ts)
	x := registryContent{ts: ts, base: "http://" + ts.Getenv("REGISTRY") + "/v2/acme/app/"}
	payload := fmt.Sprintf(`{"critical":{"identity":{"docker-reference":"%s/acme/app"},"image":{"docker-manifest-digest":"%s"},"type":"cosign container image signature"},"optional":null}`, ts.Getenv("REGISTRY"), args[0])
	layers := []any{}
	for _, how := range args[1:] {
		d := x.putBlob([]byte(payload), evidence.SimpleSigning)
		annotations := map[string]string{}
		switch how {
		case "key":
			annotations[evidence.CosignSignature] = encoded(a.sign(a.key, payload))
		case "certificate", "unwitnessed":
			annotations = a.byCertificate(payload)
			if how == "unwitnessed" {
				delete(annotations, evidence.CosignLogEntry)
			}
		default:
			ts.Fatalf("cosign2 does not know %q", how)
		}
		d["annotations"] = annotations
		layers = append(layers, d)
	}
	config := x.blob("application/vnd.oci.image.config.v1+json", map[string]any{"architecture": "", "os": ""})
	x.manifest(strings.Replace(args[0], ":", "-", 1)+".sig", "application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers,
	})
	ts.Setenv("WORKFLOW", cosignWorkflow)
	ts.Setenv("ISSUER", cosignIssuer)
}

const (
	cosignWorkflow = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"
	cosignIssuer   = "https://token.actions.githubusercontent.com"
)

func encoded(b []byte) string {
	text, _ := json.Marshal(b)
	return strings.Trim(string(text), `"`)
}

// signatures are whoever has a part in a signature of cosign 2.
type signatures struct {
	ts                  *testscript.TestScript
	key, authority, log *ecdsa.PrivateKey
	root                *x509.Certificate
	from                time.Time
}

func newSignatures(ts *testscript.TestScript) *signatures {
	a := &signatures{ts: ts, from: time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second)}
	for _, k := range []**ecdsa.PrivateKey{&a.key, &a.authority, &a.log} {
		var err error
		*k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		ts.Check(err)
	}
	top := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "people"}, NotBefore: a.from.AddDate(-1, 0, 0), NotAfter: a.from.AddDate(5, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	a.root = a.certify(top, top, &a.authority.PublicKey)
	valid := map[string]any{"start": a.from.AddDate(-1, 0, 0).Format(time.RFC3339)}
	id := sha256.Sum256(a.public(a.log))
	root, err := json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs": []any{map[string]any{
			"baseUrl": "https://rekor.example.com", "hashAlgorithm": "SHA2_256", "logId": map[string]any{"keyId": id[:]},
			"publicKey": map[string]any{"rawBytes": a.public(a.log), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid},
		}},
		"certificateAuthorities": []any{map[string]any{
			"uri": "https://ca.example.com", "validFor": valid, "subject": map[string]any{"commonName": "people"},
			"certChain": map[string]any{"certificates": []any{map[string]any{"rawBytes": a.root.Raw}}},
		}},
	})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("trusted_root.json"), root, 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("cosign.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: a.public(a.key)}), 0o644))
	return a
}

func (a *signatures) public(k *ecdsa.PrivateKey) []byte {
	b, err := x509.MarshalPKIXPublicKey(k.Public())
	a.ts.Check(err)
	return b
}

func (a *signatures) certify(template, parent *x509.Certificate, of *ecdsa.PublicKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, of, a.authority)
	a.ts.Check(err)
	c, err := x509.ParseCertificate(der)
	a.ts.Check(err)
	return c
}

func (a *signatures) sign(k *ecdsa.PrivateKey, message string) []byte {
	sum := sha256.Sum256([]byte(message))
	b, err := k.Sign(rand.Reader, sum[:], crypto.SHA256)
	a.ts.Check(err)
	return b
}

// byCertificate signs with a key of ten minutes, which the log witnesses.
func (a *signatures) byCertificate(payload string) map[string]string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.ts.Check(err)
	who, err := url.Parse(cosignWorkflow)
	a.ts.Check(err)
	vouched, err := asn1.MarshalWithParams(cosignIssuer, "utf8")
	a.ts.Check(err)
	leaf := a.certify(&x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: a.from, NotAfter: a.from.Add(10 * time.Minute), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, URIs: []*url.URL{who},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: vouched}},
	}, a.root, &key.PublicKey)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	sig := a.sign(key, payload)
	body := fmt.Sprintf(`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"%x"}},"signature":{"content":%q,"publicKey":{"content":%q}}}}`,
		sha256.Sum256([]byte(payload)), encoded(sig), encoded(certificate))
	said := fmt.Sprintf(`{"body":%q,"integratedTime":%d,"logID":"%x","logIndex":7}`, encoded([]byte(body)), a.from.Add(time.Minute).Unix(), sha256.Sum256(a.public(a.log)))
	return map[string]string{
		evidence.CosignSignature: encoded(sig), evidence.CosignCertificate: string(certificate),
		evidence.CosignLogEntry: fmt.Sprintf(`{"SignedEntryTimestamp":%q,"Payload":%s}`, encoded(a.sign(a.log, said)), said),
	}
}

// sameAnswer is the script command `sameanswer FILE FILE`: two documents of artifact show say
// the same of a digest, but for where each piece of evidence was found.
func sameAnswer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sameanswer FILE FILE")
	}
	var answers [2]map[string]any
	for i, name := range args {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &answers[i]))
		for _, p := range answers[i]["evidence"].([]any) {
			maps.DeleteFunc(p.(map[string]any), func(k string, _ any) bool { return slices.Contains([]string{"where", "entry"}, k) })
		}
	}
	for _, part := range []string{"digest", "evidence", "contents", "builds", "decisions", "deployments"} {
		if !reflect.DeepEqual(answers[0][part], answers[1][part]) {
			ts.Fatalf("%s differs:\n%v\n%v", part, answers[0][part], answers[1][part])
		}
	}
}

// sameID is the script command `sameid DECISION ARTIFACT`: the decision is the one that the
// document of artifact show gives as the last.
func sameID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sameid DECISION ARTIFACT")
	}
	var shown struct{ Decisions []struct{ ID string } }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &shown))
	if len(shown.Decisions) != 1 || !strings.Contains(ts.ReadFile(args[0]), `"`+shown.Decisions[0].ID+`"`) {
		ts.Fatalf("the last decision is not %+v", shown.Decisions)
	}
}
