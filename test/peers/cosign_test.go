package peers

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
)

// A user hands an exported bundle to somebody who has cosign and no Verdict: it must
// verify there, without network.
func TestCosignVerifiesWhatVerdictExports(t *testing.T) {
	w := newWorld(t)
	x := w.attested(t, "app.tar")
	if ok, said := w.verifies(t, x); !ok {
		t.Errorf("cosign refuses our bundle:\n%s", said)
	}
	if exit, said := w.run(t, true, w.verdict, "verify", x.file, "--bundle", x.bundle, "--key", x.key(), "--trusted-root", x.root()); exit != 0 {
		t.Errorf("verdict verify refuses it: exit %d\n%s", exit, said)
	}
}

// tampering is one way to change an export. The bundle is a copy; the function may
// also point the export to another file.
type tampering struct {
	name   string
	change func(t *testing.T, bundle document, x *export, other export)
	// unseen says why cosign does not look at it. Verdict refuses it all the same.
	unseen string
}

var tamperings = []tampering{
	{name: "the signature has another bit", change: func(t *testing.T, b document, _ *export, _ export) {
		b.within(t, "dsseEnvelope", "signatures", 0).flip(t, "sig")
	}},
	{name: "the signature is another statement's", change: func(t *testing.T, b document, _ *export, o export) {
		b.within(t, "dsseEnvelope")["signatures"] = readJSON(t, o.bundle).within(t, "dsseEnvelope")["signatures"]
	}},
	{name: "the signature is gone", change: func(t *testing.T, b document, _ *export, _ export) {
		b.within(t, "dsseEnvelope")["signatures"] = []any{}
	}},
	{name: "the payload names another builder", change: func(t *testing.T, b document, _ *export, _ export) {
		changed := strings.Replace(string(payloadOf(t, b)), "example.org/builder", "example.org/burglar", 1)
		b.within(t, "dsseEnvelope")["payload"] = base64.StdEncoding.EncodeToString([]byte(changed))
	}},
	{name: "the payload is of another type", change: func(t *testing.T, b document, _ *export, _ export) {
		b.within(t, "dsseEnvelope")["payloadType"] = "application/json"
	}},
	{name: "the log entry is gone", change: func(t *testing.T, b document, _ *export, _ export) {
		delete(b.within(t, "verificationMaterial"), "tlogEntries")
	}},
	{name: "the log entry is another statement's", change: func(t *testing.T, b document, _ *export, o export) {
		b.within(t, "verificationMaterial")["tlogEntries"] = readJSON(t, o.bundle).within(t, "verificationMaterial")["tlogEntries"]
	}},
	{name: "the entry's body has another signature", change: func(t *testing.T, b document, _ *export, _ export) {
		b.within(t, "verificationMaterial", "tlogEntries", 0).reletter(t, "canonicalizedBody", `"content":"`)
	}, unseen: "it rebuilds the body from payload, signature and key"},
	{name: "the entry is of another log", change: func(t *testing.T, b document, _ *export, _ export) {
		b.within(t, "verificationMaterial", "tlogEntries", 0, "logId").flip(t, "keyId")
	}},
	{name: "the proof's index is the next one", change: func(t *testing.T, b document, _ *export, _ export) {
		next(t, b.within(t, "verificationMaterial", "tlogEntries", 0), "logIndex")
		next(t, b.within(t, "verificationMaterial", "tlogEntries", 0, "inclusionProof"), "logIndex")
	}},
	{name: "the proof has another root", change: func(t *testing.T, b document, _ *export, _ export) {
		b.within(t, "verificationMaterial", "tlogEntries", 0, "inclusionProof").flip(t, "rootHash")
	}, unseen: "it takes the root from the checkpoint"},
	{name: "the proof is for another tree size", change: func(t *testing.T, b document, _ *export, _ export) {
		next(t, b.within(t, "verificationMaterial", "tlogEntries", 0, "inclusionProof"), "treeSize")
	}, unseen: "it takes the tree size from the checkpoint"},
	{name: "the proof is gone", change: func(t *testing.T, b document, _ *export, _ export) {
		delete(b.within(t, "verificationMaterial", "tlogEntries", 0), "inclusionProof")
	}},
	{name: "the proof has one hash more", change: func(t *testing.T, b document, _ *export, _ export) {
		p := b.within(t, "verificationMaterial", "tlogEntries", 0, "inclusionProof")
		hashes, _ := p["hashes"].([]any)
		p["hashes"] = append(hashes, base64.StdEncoding.EncodeToString(make([]byte, 32)))
	}},
	{name: "the checkpoint's signature has another bit", change: func(t *testing.T, b document, _ *export, _ export) {
		editCheckpoint(t, b, func(note string) string {
			cut := strings.LastIndexByte(strings.TrimSpace(note), ' ') + 1
			sig, err := base64.StdEncoding.DecodeString(strings.TrimSpace(note[cut:]))
			if err != nil {
				t.Fatalf("the checkpoint's signature: %v", err)
			}
			sig[len(sig)/2] ^= 1
			return note[:cut] + base64.StdEncoding.EncodeToString(sig) + "\n"
		})
	}},
	{name: "the checkpoint is of another origin", change: func(t *testing.T, b document, _ *export, _ export) {
		editCheckpoint(t, b, func(note string) string { return "other." + note })
	}},
	{name: "the checkpoint's tree is larger", change: func(t *testing.T, b document, _ *export, _ export) {
		editCheckpoint(t, b, func(note string) string {
			lines := strings.SplitN(note, "\n", 3)
			return lines[0] + "\n1" + lines[1] + "\n" + lines[2]
		})
	}},
	{name: "the checkpoint is gone", change: func(t *testing.T, b document, _ *export, _ export) {
		delete(b.within(t, "verificationMaterial", "tlogEntries", 0, "inclusionProof"), "checkpoint")
	}},
	{name: "the key is somebody else's", change: func(t *testing.T, _ document, x *export, o export) { copyInto(t, x, "key.pub", o) }},
	{name: "the root is of another log", change: func(t *testing.T, _ document, x *export, o export) { copyInto(t, x, "trusted_root.json", o) }},
	{name: "the file is another one", change: func(t *testing.T, _ document, x *export, o export) { x.file = o.file }},
	{name: "another type is asked for", change: func(t *testing.T, _ document, x *export, o export) { x.kind = "https://example.org/other/v1" }},
}

// Whatever part of a bundle is changed, nobody may be told that it holds.
func TestNobodyAcceptsATamperedExport(t *testing.T) {
	x := newWorld(t).attested(t, "app.tar")
	other := newWorld(t).attested(t, "other.tar") // another key, another log
	for i, c := range tamperings {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			y := x
			y.dir = w.path("copy")
			if err := os.CopyFS(y.dir, os.DirFS(x.dir)); err != nil {
				t.Fatal(err)
			}
			bundle := readJSON(t, x.bundle)
			c.change(t, bundle, &y, other)
			y.bundle = bundle.writeJSON(t, w.path(fmt.Sprintf("%d.sigstore.json", i)))

			switch ok, said := w.verifies(t, y); {
			case ok && c.unseen == "":
				t.Errorf("cosign accepts it:\n%s", said)
			case !ok && c.unseen != "":
				t.Errorf("cosign refuses it, and we say that it cannot see it (%s):\n%s", c.unseen, said)
			}
			if exit, said := w.run(t, true, w.verdict, "verify", y.file, "--bundle", y.bundle, "--key", y.key(), "--trusted-root", y.root(), "--type", y.kind); exit == 0 {
				t.Errorf("verdict verify accepts it:\n%s", said)
			}
		})
	}
}

func editCheckpoint(t *testing.T, bundle document, edit func(string) string) {
	t.Helper()
	c := bundle.within(t, "verificationMaterial", "tlogEntries", 0, "inclusionProof", "checkpoint")
	before := c["envelope"].(string)
	after := edit(before)
	if before == after {
		t.Fatal("the checkpoint did not change")
	}
	c["envelope"] = after
}

// next adds one to an integer field, which JSON writes as a string and leaves out at 0.
func next(t *testing.T, d document, field string) {
	t.Helper()
	var n int64
	if text, ok := d[field].(string); ok {
		if _, err := fmt.Sscan(text, &n); err != nil {
			t.Fatal(err)
		}
	}
	d[field] = fmt.Sprint(n + 1)
}

func copyInto(t *testing.T, x *export, name string, from export) {
	t.Helper()
	data, err := os.ReadFile(from.dir + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(x.dir+"/"+name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
