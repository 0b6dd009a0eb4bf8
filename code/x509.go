package code

import (
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/evidence"
	"verdict/git"
	"verdict/identity"
)

// Certificates judge signatures by certificate that an authority issued for a few minutes,
// and that a transparency log holds: what gitsign makes.
type Certificates interface {
	// VerifyMessage says whom the certificate (DER) names that signed the message, and which
	// issuer vouches for that. Its errors are *verdict.Error; evidence.ErrStranger is behind
	// that of a certificate by an authority that nobody gave.
	VerifyMessage(message, signature, certificate, logEntry []byte) (evidence.Producer, error)
}

// x509Signature verifies a CMS signature over the signed part of a commit.
func (q Question) x509Signature(c git.Commit, signed []byte, armored string) (verdict.Knowledge, verdict.Party) {
	block, rest := pem.Decode([]byte(armored + "\n"))
	if block == nil || block.Type != "SIGNED MESSAGE" || len(block.Headers) > 0 || strings.TrimSpace(string(rest)) != "" {
		return broken("the signature with a certificate cannot be read"), verdict.Party{}
	}
	if len(block.Bytes) > 1 && block.Bytes[1] == 0x80 { // a length that is not told: BER, as gpgsm writes it
		return unverifiable("signatures by S/MIME are not verified here"), verdict.Party{}
	}
	m, err := parseCMS(block.Bytes)
	if err != nil {
		return broken("the signature with a certificate " + err.Error()), verdict.Party{}
	}
	if !m.holdsOver(signed) {
		return broken("the signature with a certificate does not hold over this commit"), verdict.Party{}
	}
	unknown := func(why, remedy string) (verdict.Knowledge, verdict.Party) {
		return verdict.Knowledge{State: verdict.StateUnknown, Why: "the signature with a certificate holds, but " + why, Remedy: remedy}, verdict.Party{}
	}
	switch {
	case m.logEntry == nil:
		return unknown("it carries no entry of a log, so nobody vouches for the time at which the certificate was used",
			"with gitsign, have the entry put into the commit: git config gitsign.rekorMode offline, and sign again; S/MIME is not verified here")
	case q.Certificates == nil:
		return unknown("nothing was given that certificates are judged by",
			"give the authority and the log with --trusted-root FILE, and who may vouch for people with --certificate-oidc-issuer URL")
	}
	by, err := q.Certificates.VerifyMessage(m.attributes, m.signature, m.certificate.Raw, m.logEntry)
	switch e := verdict.AsError(err); {
	case errors.Is(err, evidence.ErrStranger):
		return unknown(e.What, e.Remedy)
	case err != nil:
		return verdict.Knowledge{State: verdict.StateFailed, Why: "the signature with a certificate is not accepted: " + shown(e.What), Remedy: e.Remedy}, verdict.Party{}
	case !slices.Contains(q.Issuers, by.Issuer):
		return unknown("the identity in it is vouched for by "+shown(by.Issuer)+", which was not given",
			fmt.Sprintf("if that one may vouch for people, give --certificate-oidc-issuer %q", by.Issuer))
	}
	return verified, q.People.party(identity.Git, by.Identity)
}
