-- +goose Up

-- What opens the door: sessions, tokens of the API, links that work once. The secret itself
-- is nowhere; it has 256 random bits, so that its digest needs neither salt nor stretching.
CREATE TABLE credential (
  id      TEXT   NOT NULL PRIMARY KEY,
  digest  TEXT   NOT NULL, -- sha256 of the secret, in hexadecimal
  kind    TEXT   NOT NULL, -- session, token, link
  actor   TEXT   NOT NULL, -- whose it is
  doc     TEXT   NOT NULL, -- JSON: who that is, with what rights
  made    BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  revoked BIGINT NOT NULL  -- 0: it is not
);
CREATE UNIQUE INDEX credential_digest ON credential (digest);
CREATE INDEX credential_actor ON credential (actor, id);
CREATE INDEX credential_expires ON credential (expires);

-- Tokens of issuers that were exchanged, until they expire by themselves.
CREATE TABLE spent (
  issuer  TEXT   NOT NULL,
  id      TEXT   NOT NULL,
  expires BIGINT NOT NULL,
  PRIMARY KEY (issuer, id)
);
CREATE INDEX spent_expires ON spent (expires);

-- Who is behind the ids that evidence names. Name and address can be erased; the id stays,
-- and so does what it was made of, or else who erases himself comes back as a second person.
CREATE TABLE actor (
  id      TEXT   NOT NULL PRIMARY KEY,
  source  TEXT   NOT NULL, -- sha256 of issuer and subject, in hexadecimal
  name    TEXT   NOT NULL,
  address TEXT   NOT NULL,
  made    BIGINT NOT NULL,
  erased  BIGINT NOT NULL  -- 0: it is not
);
CREATE UNIQUE INDEX actor_source ON actor (source);
