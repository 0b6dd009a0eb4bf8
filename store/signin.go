package store

import "context"

// Credential opens the door for who holds its secret, of which the digest is kept.
type Credential struct {
	ID      string
	Digest  string // sha256 of the secret, in hexadecimal
	Kind    string
	Actor   string
	Doc     string // JSON
	Made    int64
	Expires int64
	Revoked int64 // 0: it is not
}

// Spent is a token of an issuer that was exchanged and may not be again.
type Spent struct {
	Issuer, ID string
	Expires    int64
}

const credentialColumns = `id, digest, kind, actor, doc, made, expires, revoked`

const (
	// Index: primary key of credential, credential_digest.
	addCredentialStatement = `INSERT INTO credential (` + credentialColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

	// Index: primary key of spent. A second row of the same token is a constraint's to refuse.
	spendStatement = `INSERT INTO spent (issuer, id, expires) VALUES ($1, $2, $3)`

	// Index: credential_digest.
	credentialStatement = `SELECT ` + credentialColumns + ` FROM credential WHERE digest = $1`

	// Index: primary key of credential.
	credentialByIDStatement = `SELECT ` + credentialColumns + ` FROM credential WHERE id = $1`

	// Index: primary key of credential.
	credentialsStatement = `SELECT ` + credentialColumns + ` FROM credential WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3`

	// Index: credential_actor.
	credentialsOfStatement = `SELECT ` + credentialColumns + ` FROM credential WHERE actor = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4`

	// Index: primary key of credential.
	revokeCredentialStatement = `UPDATE credential SET revoked = $1 WHERE id = $2 AND revoked = 0 RETURNING id`

	// Index: credential_actor.
	revokeCredentialsOfStatement = `UPDATE credential SET revoked = $1 WHERE actor = $2 AND revoked = 0`

	// Index: credential_digest. Of two that take it at once, one gets the row.
	takeCredentialStatement = `DELETE FROM credential WHERE digest = $1 AND kind = $2 AND revoked = 0 AND expires > $3 RETURNING ` + credentialColumns

	// Index: credential_expires.
	sweepCredentialsStatement = `DELETE FROM credential WHERE expires <= $1`

	// Index: spent_expires.
	sweepSpentStatement = `DELETE FROM spent WHERE expires <= $1`
)

// AddCredential keeps a credential, and what was spent for it when spent is not nil. It
// gives ErrFence when that was spent before.
func (s *Store) AddCredential(ctx context.Context, c Credential, spent *Spent) error {
	return s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		out := []Statement{{SQL: addCredentialStatement, Args: []any{c.ID, c.Digest, c.Kind, c.Actor, c.Doc, c.Made, c.Expires, c.Revoked}}}
		if spent != nil {
			out = append(out, Statement{SQL: spendStatement, Args: []any{spent.Issuer, spent.ID, spent.Expires}})
		}
		return out, nil
	})
}

// TakeCredential removes a credential that works once, and gives it to one of those who ask.
func (s *Store) TakeCredential(ctx context.Context, digest, kind string, now int64) (c Credential, found bool, err error) {
	err = s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: takeCredentialStatement, Args: []any{digest, kind, now}, Each: func(r Row) (err error) {
			found = true
			c, err = readCredential(r)
			return err
		}}}, nil
	})
	return c, found && err == nil, err
}

// RevokeCredential ends a credential. It reports false when there is none that still holds.
func (s *Store) RevokeCredential(ctx context.Context, id string, at int64) (bool, error) {
	return s.changed(ctx, revokeCredentialStatement, at, id)
}

// RevokeCredentialsOf ends every credential of an actor.
func (s *Store) RevokeCredentialsOf(ctx context.Context, actor string, at int64) error {
	return s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: revokeCredentialsOfStatement, Args: []any{at, actor}}}, nil
	})
}

// spentKept is how long after its end it is known that a token was exchanged, in microseconds: a
// clock that was ahead by a day, and was set right, makes no token new that was exchanged before.
const spentKept int64 = 48 * 3600 * 1e6

// SweepCredentials removes what expired by now.
func (s *Store) SweepCredentials(ctx context.Context, now int64) error {
	return s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: sweepCredentialsStatement, Args: []any{now}}, {SQL: sweepSpentStatement, Args: []any{now - spentKept}}}, nil
	})
}

// Credential finds a credential by the digest of its secret, also one that does not hold
// any more.
func (v *View) Credential(ctx context.Context, digest string) (Credential, bool, error) {
	return v.credential(ctx, credentialStatement, digest)
}

// CredentialByID finds a credential by its id, also one that does not hold any more.
func (v *View) CredentialByID(ctx context.Context, id string) (Credential, bool, error) {
	return v.credential(ctx, credentialByIDStatement, id)
}

func (v *View) credential(ctx context.Context, sql, by string) (c Credential, found bool, err error) {
	err = v.r.Run(ctx, Statement{SQL: sql, Args: []any{by}, Each: func(r Row) (err error) {
		found = true
		c, err = readCredential(r)
		return err
	}})
	return c, found && err == nil, err
}

// Credentials lists those of a kind by id, from the one after an id on; with an actor, his.
func (v *View) Credentials(ctx context.Context, actor, kind, after string, limit int64) ([]Credential, error) {
	if actor == "" {
		return list(ctx, v, credentialsStatement, []any{kind, after, limit}, readCredential)
	}
	return list(ctx, v, credentialsOfStatement, []any{actor, kind, after, limit}, readCredential)
}

func readCredential(r Row) (c Credential, err error) {
	err = r.Scan(&c.ID, &c.Digest, &c.Kind, &c.Actor, &c.Doc, &c.Made, &c.Expires, &c.Revoked)
	return c, err
}

// Actor is who is behind an id that evidence names.
type Actor struct {
	ID      string
	Source  string // what the id stands for, by its digest
	Name    string // empty: not told, or erased
	Address string
	Made    int64
	Erased  int64 // 0: it is not
}

const (
	// Index: primary key of actor, actor_source.
	addActorStatement = `INSERT INTO actor (id, source, name, address, made, erased) VALUES ($1, $2, $3, $4, $5, 0)`

	// Index: primary key of actor.
	nameActorStatement = `UPDATE actor SET name = $1, address = $2 WHERE id = $3`

	// Index: primary key of actor.
	eraseActorStatement = `UPDATE actor SET name = '', address = '', erased = $1 WHERE id = $2 AND erased = 0 RETURNING id`

	// Index: actor_source.
	actorBySourceStatement = `SELECT id, source, name, address, made, erased FROM actor WHERE source = $1`

	// Index: primary key of actor.
	actorStatement = `SELECT id, source, name, address, made, erased FROM actor WHERE id = $1`
)

// KnownActor gives who was known by the source of a before, with what a calls him now; else
// keeps a. Who was erased stays without a name.
func (s *Store) KnownActor(ctx context.Context, a Actor) (Actor, error) {
	var known Actor
	err := s.engine.Write(ctx, func(r Reader) ([]Statement, error) {
		found, err := (&View{r}).actor(ctx, actorBySourceStatement, a.Source, &known)
		switch {
		case err != nil:
			return nil, err
		case !found:
			known = a
			return []Statement{{SQL: addActorStatement, Args: []any{a.ID, a.Source, a.Name, a.Address, a.Made}}}, nil
		case known.Erased != 0 || known.Name == a.Name && known.Address == a.Address:
			return nil, nil
		}
		known.Name, known.Address = a.Name, a.Address
		return []Statement{{SQL: nameActorStatement, Args: []any{a.Name, a.Address, known.ID}}}, nil
	})
	if err != nil {
		return Actor{}, err
	}
	return known, nil
}

// EraseActor forgets the name and the address behind an id. It reports false when there is
// nobody to forget.
func (s *Store) EraseActor(ctx context.Context, id string, at int64) (bool, error) {
	return s.changed(ctx, eraseActorStatement, at, id)
}

// Actor finds who is behind an id.
func (v *View) Actor(ctx context.Context, id string) (a Actor, found bool, err error) {
	found, err = v.actor(ctx, actorStatement, id, &a)
	return a, found, err
}

func (v *View) actor(ctx context.Context, sql, by string, a *Actor) (bool, error) {
	return v.one(ctx, sql, []any{by}, &a.ID, &a.Source, &a.Name, &a.Address, &a.Made, &a.Erased)
}
