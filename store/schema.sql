-- What the migrations make. Written by go test ./store -update; PostgreSQL has the same,
-- with CREATE DOMAIN blob AS bytea before it.

CREATE TABLE actor (
  id      TEXT   NOT NULL PRIMARY KEY,
  source  TEXT   NOT NULL, -- sha256 of issuer and subject, in hexadecimal
  name    TEXT   NOT NULL,
  address TEXT   NOT NULL,
  made    BIGINT NOT NULL,
  erased  BIGINT NOT NULL  -- 0: it is not
);

CREATE UNIQUE INDEX actor_source ON actor (source);

CREATE TABLE bill (
  number    BIGINT NOT NULL PRIMARY KEY, -- from 0, without gaps
  from_seq  BIGINT NOT NULL,
  to_seq    BIGINT NOT NULL,
  about     blob   NOT NULL, -- hash of its producer and artifacts
  source    BIGINT NOT NULL,
  inventory TEXT   NOT NULL, -- what it says of itself: complete, incomplete, unknown
  listed    BIGINT NOT NULL, -- components that it lists
  nameless  BIGINT NOT NULL  -- those of them whose package or ecosystem is not known
);

CREATE INDEX bill_about ON bill (about, from_seq);

CREATE INDEX bill_ended ON bill (to_seq) WHERE to_seq < 9223372036854775807;

CREATE UNIQUE INDEX bill_from ON bill (from_seq);

CREATE INDEX bill_source_of ON bill (source);

CREATE TABLE bill_component (
  number     BIGINT NOT NULL PRIMARY KEY,
  components blob   NOT NULL -- ids in rising order: see packIDs
);

CREATE TABLE bill_source (
  id          BIGINT NOT NULL PRIMARY KEY,
  producer    TEXT   NOT NULL,
  service     TEXT   NOT NULL,
  environment TEXT   NOT NULL
);

CREATE UNIQUE INDEX bill_source_producer ON bill_source (producer, service, environment);

CREATE TABLE blob_use (
  digest   TEXT   NOT NULL,
  from_seq BIGINT NOT NULL,
  to_seq   BIGINT NOT NULL,
  role     TEXT   NOT NULL, -- what the blob is to the entry
  PRIMARY KEY (digest, from_seq)
);

CREATE TABLE component (
  id      BIGINT NOT NULL PRIMARY KEY,
  package BIGINT NOT NULL,
  version TEXT   NOT NULL,
  licence TEXT   NOT NULL
);

CREATE UNIQUE INDEX component_version ON component (package, version, licence);

CREATE TABLE component_index (
  id     BIGINT NOT NULL PRIMARY KEY, -- 0: there is one row
  folded BIGINT NOT NULL
);

CREATE TABLE component_segment (
  component BIGINT NOT NULL,
  segment   BIGINT NOT NULL,
  bills     blob   NOT NULL,
  PRIMARY KEY (component, segment)
);

CREATE TABLE cosignature (
  origin TEXT   NOT NULL,
  size   BIGINT NOT NULL,
  name   TEXT   NOT NULL,
  line   TEXT   NOT NULL, -- the line of the signed note
  at     BIGINT NOT NULL,
  PRIMARY KEY (origin, size, name)
);

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

CREATE INDEX credential_actor ON credential (actor, id);

CREATE UNIQUE INDEX credential_digest ON credential (digest);

CREATE INDEX credential_expires ON credential (expires);

CREATE TABLE decision (
  from_seq    BIGINT NOT NULL PRIMARY KEY,
  to_seq      BIGINT NOT NULL,
  id          TEXT   NOT NULL,
  point       TEXT   NOT NULL,
  subject     TEXT   NOT NULL,
  name        TEXT   NOT NULL, -- of the subject
  service     TEXT   NOT NULL,
  environment TEXT   NOT NULL,
  mode        TEXT   NOT NULL,
  outcome     TEXT   NOT NULL,
  enforced    TEXT   NOT NULL,
  at          BIGINT NOT NULL,
  expires     BIGINT NOT NULL -- 0: never
);

CREATE INDEX decision_id ON decision (id);

CREATE INDEX decision_point ON decision (point, environment, from_seq);

CREATE INDEX decision_service ON decision (service, from_seq);

CREATE INDEX decision_subject ON decision (subject, point, environment, from_seq);

CREATE TABLE delivery (
  source   TEXT   NOT NULL, -- name of the forge's entry in the configuration
  id       TEXT   NOT NULL, -- as the forge names it
  name     TEXT   NOT NULL, -- of the event, in the forge's words
  digest   blob   NOT NULL, -- sha256 of name and body
  received BIGINT NOT NULL,
  state    TEXT   NOT NULL, -- waiting, done, ignored, failed
  told     TEXT   NOT NULL, -- what came of it, for people
  event    TEXT   NOT NULL, -- JSON
  sealed   blob   NOT NULL, -- a secret of the sender that the answer needs, encrypted; empty: none
  progress TEXT   NOT NULL, -- JSON of whoever works on it
  waits    TEXT   NOT NULL, -- digest of the subject whose evidence it waits for; empty: none
  PRIMARY KEY (source, id)
);

CREATE INDEX delivery_digest ON delivery (source, digest);

CREATE INDEX delivery_received ON delivery (received);

CREATE INDEX delivery_waits ON delivery (waits) WHERE waits <> '';

CREATE TABLE entry (
  seq            BIGINT NOT NULL PRIMARY KEY,
  to_seq         BIGINT NOT NULL, -- position of the tombstone
  at             BIGINT NOT NULL, -- when it was recorded; never before the entry in front
  kind           TEXT   NOT NULL,
  predicate_type TEXT   NOT NULL,
  producer       TEXT   NOT NULL,
  service        TEXT   NOT NULL,
  team           TEXT   NOT NULL,
  environment    TEXT   NOT NULL,
  point          TEXT   NOT NULL,
  run            TEXT   NOT NULL,
  actor          TEXT   NOT NULL,
  said           BIGINT NOT NULL, -- when the producer says that it happened
  retention      TEXT   NOT NULL,
  subjects       TEXT   NOT NULL, -- JSON
  digest         blob   NOT NULL, -- sha256 of the payload of the evidence
  identity       blob   NOT NULL,
  foreign_digest TEXT   NOT NULL,
  foreign_origin TEXT   NOT NULL,
  foreign_seq    BIGINT NOT NULL,
  signer         TEXT   NOT NULL,
  signature      blob   NOT NULL,
  size           BIGINT NOT NULL, -- bytes of the signed payload
  payload        blob,            -- the signed payload, zstd
  leaf           blob             -- only when the payload was pruned
, blobs BIGINT NOT NULL DEFAULT -1, bills BIGINT NOT NULL DEFAULT -1);

CREATE INDEX entry_bills ON entry (kind, bills, seq) WHERE bills < 0 AND kind = 'sbom';

CREATE INDEX entry_blobs ON entry (seq) WHERE blobs < 0;

CREATE INDEX entry_body ON entry (digest) WHERE payload IS NULL;

CREATE UNIQUE INDEX entry_identity ON entry (identity);

CREATE INDEX entry_kind ON entry (kind, seq);

CREATE INDEX entry_service ON entry (service, seq);

CREATE UNIQUE INDEX entry_travelled ON entry (foreign_origin, foreign_seq) WHERE foreign_origin <> '';

CREATE TABLE foreign_bundle (
  from_seq BIGINT NOT NULL PRIMARY KEY,
  to_seq   BIGINT NOT NULL,
  size     BIGINT NOT NULL,
  data     blob
);

CREATE INDEX foreign_bundle_body ON foreign_bundle (from_seq) WHERE data IS NULL;

CREATE TABLE job (
  id       TEXT   NOT NULL PRIMARY KEY,
  kind     TEXT   NOT NULL,
  doc      TEXT   NOT NULL, -- JSON
  due      BIGINT NOT NULL,
  owner    TEXT   NOT NULL, -- empty: nobody has it
  lease    BIGINT NOT NULL, -- until when the owner has it
  attempts BIGINT NOT NULL,
  fault    TEXT   NOT NULL  -- why the last attempt ended
);

CREATE INDEX job_due ON job (kind, due);

CREATE TABLE log (
  epoch    BIGINT NOT NULL PRIMARY KEY,
  origin   TEXT   NOT NULL UNIQUE,
  vkey     TEXT   NOT NULL, -- public half of the key that signs its checkpoints, as in a signed note
  base     BIGINT NOT NULL CHECK (base >= 0),
  size     BIGINT NOT NULL CHECK (size >= 0),
  root     blob   NOT NULL,
  opened   BIGINT NOT NULL,
  latest   BIGINT NOT NULL, -- recorded time of the last entry
  previous TEXT   NOT NULL  -- last known checkpoint of the epoch before, empty for the first
);

CREATE TABLE moved (
  id    BIGINT NOT NULL PRIMARY KEY, -- 0: there is one row, or none
  place TEXT   NOT NULL,             -- where the log goes on
  at    BIGINT NOT NULL
);

CREATE TABLE package (
  id        BIGINT NOT NULL PRIMARY KEY,
  ecosystem TEXT   NOT NULL, -- as OSV names it; pkg:TYPE for a type that it has no word for
  name      TEXT   NOT NULL
);

CREATE UNIQUE INDEX package_name ON package (name, ecosystem);

CREATE TABLE register (
  kind     TEXT   NOT NULL,
  id       TEXT   NOT NULL,
  from_seq BIGINT NOT NULL,
  to_seq   BIGINT NOT NULL,
  about    TEXT   NOT NULL, -- what it is for: the decision of an approval, the service of an exception
  PRIMARY KEY (kind, id, from_seq)
);

CREATE INDEX register_about ON register (kind, about, from_seq);

CREATE TABLE repeat (
  actor   TEXT   NOT NULL,
  name    TEXT   NOT NULL, -- the caller's key
  request TEXT   NOT NULL, -- hash of what was asked
  at      BIGINT NOT NULL,
  claimed BIGINT NOT NULL, -- until when somebody is at work on it
  expires BIGINT NOT NULL,
  status  BIGINT NOT NULL, -- 0: not answered yet
  type    TEXT   NOT NULL,
  body    blob   NOT NULL,
  PRIMARY KEY (actor, name)
);

CREATE INDEX repeat_expires ON repeat (expires);

CREATE TABLE running (
  from_seq    BIGINT NOT NULL PRIMARY KEY,
  to_seq      BIGINT NOT NULL,
  environment TEXT   NOT NULL,
  service     TEXT   NOT NULL,
  name        TEXT   NOT NULL, -- of the artifact, without tag and digest
  digest      TEXT   NOT NULL,
  decision    TEXT   NOT NULL, -- the promotion, empty when the deployment names none
  at          BIGINT NOT NULL  -- when it was deployed, as it is stated
);

CREATE INDEX running_digest ON running (digest, to_seq);

CREATE INDEX running_end ON running (to_seq);

CREATE INDEX running_environment ON running (environment, to_seq);

CREATE UNIQUE INDEX running_open ON running (environment, service, name) WHERE to_seq = 9223372036854775807;

CREATE INDEX running_service ON running (service, to_seq);

CREATE TABLE spent (
  issuer  TEXT   NOT NULL,
  id      TEXT   NOT NULL,
  expires BIGINT NOT NULL,
  PRIMARY KEY (issuer, id)
);

CREATE INDEX spent_expires ON spent (expires);

CREATE TABLE subject (
  digest   TEXT   NOT NULL,
  from_seq BIGINT NOT NULL,
  to_seq   BIGINT NOT NULL,
  kind     TEXT   NOT NULL, -- of the entry
  PRIMARY KEY (digest, from_seq)
);

CREATE TABLE tile (
  epoch BIGINT NOT NULL,
  level BIGINT NOT NULL,
  n     BIGINT NOT NULL,
  data  blob   NOT NULL,
  PRIMARY KEY (epoch, level, n)
);
