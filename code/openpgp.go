package code

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"verdict"
	"verdict/git"
	"verdict/identity"
)

const (
	keyringRemedy = "write the public keys with `gpg --export --armor ADDRESS… > keys.asc`, and give that file"
	keyBlock      = "PGP PUBLIC KEY BLOCK"
	maxKeys       = 100_000
)

// Keyring are the OpenPGP keys whose signatures of commits can be verified. The zero value
// knows nobody.
type Keyring struct {
	// written are the keys as they are stored, by the id of each of their parts: the library
	// remembers in a key that it read what held of it, and each commit asks anew.
	written map[uint64][][]byte
}

// ParseKeyring reads public keys as OpenPGP exports them, armored or not. One that cannot
// be read is an *verdict.Error: a key that was meant to count must not be lost.
func ParseKeyring(name string, content []byte) (_ Keyring, failed error) {
	k := Keyring{written: map[uint64][][]byte{}}
	invalid := func(what string, err error) (Keyring, error) {
		return Keyring{}, &verdict.Error{Code: verdict.CodeInvalid, What: shown(name) + what, Remedy: keyringRemedy, Err: err}
	}
	defer func() { // the library takes the first byte of what may be empty
		if p := recover(); p != nil {
			_, failed = invalid(" holds a key that cannot be read", fmt.Errorf("%v", p))
		}
	}()
	blocks, err := keyBlocks(content)
	if err != nil {
		return invalid(" holds no OpenPGP keys that can be read", err)
	}
	number := 0
	for _, block := range blocks {
		packets := packet.NewReader(bytes.NewReader(block))
		for {
			e, err := openpgp.ReadEntity(packets)
			if errors.Is(err, io.EOF) {
				break
			}
			if number++; err != nil || number > maxKeys {
				return invalid(fmt.Sprintf(": key %d cannot be read", number), err)
			}
			if e.PrivateKey != nil {
				return invalid(fmt.Sprintf(": key %d is a private one, which belongs to its owner alone", number), nil)
			}
			if err := k.add(e); err != nil {
				return invalid(fmt.Sprintf(": key %d cannot be read", number), err)
			}
		}
	}
	if number == 0 {
		return invalid(" holds no OpenPGP key", nil)
	}
	return k, nil
}

// keyBlocks takes the armor off: a file may hold several exports, one behind the other.
func keyBlocks(content []byte) ([][]byte, error) {
	if len(content) > 0 && content[0]&0x80 != 0 { // the first bit of a packet, and of no text
		return [][]byte{content}, nil
	}
	const end = "-----END " + keyBlock + "-----"
	var out [][]byte
	for rest := string(content); strings.TrimSpace(rest) != ""; {
		text, after, whole := strings.Cut(rest, end)
		if !whole {
			return nil, errors.New("a block of keys does not begin or does not end")
		}
		block, err := armor.Decode(strings.NewReader(text + end + "\n"))
		if err != nil {
			return nil, err
		}
		if block.Type != keyBlock {
			return nil, fmt.Errorf("it holds a %.40q", block.Type)
		}
		body, err := io.ReadAll(block.Body)
		if err != nil {
			return nil, err
		}
		out, rest = append(out, body), after
	}
	return out, nil
}

func (k *Keyring) add(e *openpgp.Entity) error {
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		return err
	}
	ids := []uint64{e.PrimaryKey.KeyId}
	for _, s := range e.Subkeys {
		ids = append(ids, s.PublicKey.KeyId)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		k.written[id] = append(k.written[id], b.Bytes())
	}
	return nil
}

// pgpSignature verifies an OpenPGP signature over the signed part of a commit.
func (q Question) pgpSignature(c git.Commit, signed []byte, armored string) (known verdict.Knowledge, by verdict.Party) {
	defer func() { // as in ParseKeyring
		if p := recover(); p != nil {
			known, by = broken("the OpenPGP signature cannot be read"), verdict.Party{}
		}
	}()
	sig, why := parsePGP(armored)
	if why != "" {
		return broken("the OpenPGP signature " + why), verdict.Party{}
	}
	id := *sig.IssuerKeyId
	written := q.Keyring.written[id]
	if len(written) == 0 {
		why := fmt.Sprintf("it is by the key %016X, which is not among the given ones", id)
		if len(q.Keyring.written) == 0 {
			why = "no OpenPGP keys were given"
		}
		return verdict.Knowledge{
			State: verdict.StateUnknown, Why: "the OpenPGP signature was not verified: " + why,
			Remedy: "add the key to the given ones (gpg --export --armor ADDRESS), and give them with --openpgp-keys FILE",
		}, verdict.Party{}
	}
	use := keyUse{sig: sig, signed: signed, at: c.Committer.At, now: q.Now}
	var signer *openpgp.Entity
	refused := ""
	for _, one := range written {
		e, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(one)))
		if err != nil {
			continue // it was read before
		}
		if e.Revoked(q.Now) { // of two copies of a key, the one that tells counts
			signer, refused = nil, "is by a key that was revoked"
			break
		}
		if why := use.refusal(e); why == "" {
			signer = e
		} else if refused == "" {
			refused = why
		}
	}
	if signer == nil {
		return broken("the OpenPGP signature " + refused), verdict.Party{}
	}
	return q.whosePGP(c, signer)
}

// parsePGP reads the one signature that the armor holds, or says why it does not count.
func parsePGP(armored string) (sig *packet.Signature, why string) {
	const unreadable = "cannot be read"
	text := strings.TrimSpace(armored)
	if strings.Count(text, "-----BEGIN ") != 1 || !strings.HasSuffix(text, "-----END PGP SIGNATURE-----") {
		return nil, unreadable
	}
	block, err := armor.Decode(strings.NewReader(text + "\n"))
	if err != nil {
		return nil, unreadable
	}
	packets := packet.NewReader(block.Body)
	p, err := packets.NextWithUnsupported()
	if err != nil {
		return nil, unreadable
	}
	if odd, ok := p.(*packet.UnsupportedPacket); ok {
		return nil, unsupported(odd.Error)
	}
	sig, ok := p.(*packet.Signature)
	if _, err := packets.NextWithUnsupported(); !ok || !errors.Is(err, io.EOF) {
		return nil, "is not one signature alone"
	}
	switch {
	case sig.IssuerKeyId == nil:
		return nil, "does not say which key made it"
	case sig.Version != 4 && sig.Version != 6:
		return nil, fmt.Sprintf("is of version %d, which is not accepted", sig.Version)
	case sig.SigType != packet.SigTypeBinary: // that of a text lets its line ends be changed
		return nil, "is not one over a document"
	case pgpRules.RejectMessageHashAlgorithm(sig.Hash):
		return nil, "rests on the hash " + sig.Hash.String() + ", which can be forged"
	}
	for _, n := range sig.Notations {
		if n.IsCritical {
			return nil, "carries a condition that is not known here: " + shown(n.Name)
		}
	}
	return sig, ""
}

// unsupported says what the library does not take. Hashes have their numbers from RFC 4880,
// section 9.4.
func unsupported(err error) string {
	switch err {
	case pgperrors.UnsupportedError("hash function 1"):
		return "rests on the hash MD5, which can be forged"
	case pgperrors.UnsupportedError("hash function 3"):
		return "rests on the hash RIPEMD-160, which can be forged"
	}
	return "has a form that is not accepted: " + shown(err.Error())
}

// pgpRules are the library's: no DSA or ElGamal, RSA from 2047 bits on, no signature of a
// commit by SHA-1, and none at all by MD5 or RIPEMD-160.
var pgpRules = &packet.Config{}

// keyUse is a signature, what it is over, and when.
type keyUse struct {
	sig    *packet.Signature
	signed []byte
	at     time.Time // when the commit says that it was made
	now    time.Time
}

// refusal says why the signature does not count as one by this key; "" when it does. What
// a key says of itself is taken as it stands now, so that one whose life was prolonged
// still covers earlier commits; whether it had run out is asked of the later of the times
// that commit and signature state, which are both signed.
func (u keyUse) refusal(e *openpgp.Entity) string {
	pub, sub := partOf(e, *u.sig.IssuerKeyId)
	if pub == nil || !u.holds(pub) {
		return "does not hold over this commit"
	}
	if why := weak(pub); why != "" {
		return why
	}
	if why := weak(e.PrimaryKey); why != "" {
		return why
	}
	self, err := e.PrimarySelfSignature(time.Time{}, pgpRules)
	if err != nil || u.spent(self) {
		return "is by a key that no longer says whose it is"
	}
	lives := []life{{e.PrimaryKey, self}}
	if direct, err := e.LatestValidDirectSignature(time.Time{}, pgpRules); err == nil {
		lives = append(lives, life{e.PrimaryKey, direct})
	}
	if sub != nil {
		binding, err := sub.LatestValidBindingSignature(time.Time{}, pgpRules)
		switch {
		case err != nil:
			return "is by a subkey that its key and itself do not both confirm"
		case sub.Revoked(binding, time.Time{}):
			return "is by a subkey that was revoked"
		case u.spent(binding), binding.EmbeddedSignature != nil && u.spent(binding.EmbeddedSignature):
			return "is by a subkey that its key no longer confirms"
		}
		self = binding
		lives = append(lives, life{sub.PublicKey, binding})
	}
	if !self.FlagsValid || !self.FlagSign {
		return "is by a key that is not meant for signing"
	}
	return u.ended(lives)
}

// life is a part of a key with the signature that says how long it lives.
type life struct {
	key  *packet.PublicKey
	self *packet.Signature
}

// ended says what had run out when the commit was signed.
func (u keyUse) ended(lives []life) string {
	at := u.sig.CreationTime
	if u.at.After(at) {
		at = u.at
	}
	for _, l := range lives {
		if end, ends := after(l.key.CreationTime, l.self.KeyLifetimeSecs); ends && at.After(end) {
			return "was made when its key had expired, on " + end.Format(time.DateOnly)
		}
		if u.sig.CreationTime.Before(l.key.CreationTime) {
			return "was made before its key, which is of " + l.key.CreationTime.UTC().Format(time.DateOnly)
		}
	}
	if end, ends := after(u.sig.CreationTime, u.sig.SigLifetimeSecs); ends && u.now.After(end) {
		return "expired on " + end.Format(time.DateOnly)
	}
	return ""
}

// spent reports whether a signature that was made for some time only has lived it out.
func (u keyUse) spent(sig *packet.Signature) bool {
	end, ends := after(sig.CreationTime, sig.SigLifetimeSecs)
	return ends && u.now.After(end)
}

func after(start time.Time, seconds *uint32) (time.Time, bool) {
	if seconds == nil || *seconds == 0 {
		return time.Time{}, false
	}
	return start.UTC().Add(time.Duration(*seconds) * time.Second), true
}

// holds reports whether the key made the signature over what is signed.
func (u keyUse) holds(key *packet.PublicKey) bool {
	h, err := u.sig.PrepareVerify()
	if err != nil {
		return false
	}
	h.Write(u.signed)
	return key.VerifySignature(h, u.sig) == nil
}

// partOf finds the part of a key with the id; sub is nil when it is the primary one.
func partOf(e *openpgp.Entity, id uint64) (pub *packet.PublicKey, sub *openpgp.Subkey) {
	if e.PrimaryKey.KeyId == id {
		return e.PrimaryKey, nil
	}
	for i := range e.Subkeys {
		if e.Subkeys[i].PublicKey.KeyId == id {
			return e.Subkeys[i].PublicKey, &e.Subkeys[i]
		}
	}
	return nil, nil
}

func weak(key *packet.PublicKey) string {
	if pgpRules.RejectPublicKeyAlgorithm(key.PubKeyAlgo) {
		return "is by a key of a kind that is no longer safe (DSA)"
	}
	switch key.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		if bits, err := key.BitLength(); err != nil || bits < pgpRules.MinimumRSABits() {
			return fmt.Sprintf("is by an RSA key of %d bits, and fewer than 2048 are not enough", bits)
		}
	case packet.PubKeyAlgoECDSA, packet.PubKeyAlgoEdDSA:
		if curve, err := key.Curve(); err != nil || pgpRules.RejectCurve(curve) {
			return "is by a key on a curve that is not accepted: " + shown(string(curve))
		}
	}
	return ""
}

// whosePGP says whose the key is: that of the committer where their address is among its
// user ids, else of whom the map knows by one of them. Whoever owns a key writes its user
// ids, so one that names two people of the map counts for neither.
func (q Question) whosePGP(c git.Commit, e *openpgp.Entity) (verdict.Knowledge, verdict.Party) {
	var known []string
	account := ""
	addresses := addressesOf(e)
	for _, a := range addresses {
		if person, ok := q.People.Resolve(identity.Account{System: identity.Git, Name: a}); ok {
			known = append(known, person.ID)
			account = a
		}
	}
	slices.Sort(known)
	if known = slices.Compact(known); len(known) > 1 {
		return verdict.Knowledge{
			State: verdict.StateUnknown, Why: "the OpenPGP signature holds, but its key names several people: " + strings.Join(known, ", "),
			Remedy: "give a key with the addresses of its owner alone (gpg --export-filter keep-uid=…), or put them all to one person under people: in the map",
		}, verdict.Party{}
	}
	if account == "" && len(addresses) > 0 {
		account = addresses[0]
	}
	for _, a := range addresses {
		if strings.EqualFold(a, c.Committer.Email) {
			account = a
		}
	}
	return verified, q.People.party(identity.Git, account)
}

// addressesOf lists the addresses of the user ids that the key itself confirms, sorted.
func addressesOf(e *openpgp.Entity) []string {
	var out []string
	for _, i := range e.Identities {
		if _, err := i.Verify(time.Time{}, pgpRules); err != nil {
			continue
		}
		address := i.UserId.Email
		if address == "" && strings.Contains(i.UserId.Id, "@") && !strings.ContainsAny(i.UserId.Id, " <>()") {
			address = i.UserId.Id
		}
		if address != "" {
			out = append(out, address)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
