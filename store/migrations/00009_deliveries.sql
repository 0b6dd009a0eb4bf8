-- +goose Up

-- What forges deliver: kept with the work that follows from it in one transaction, so that
-- what was acknowledged is done, and found again when it is delivered twice. The body is not
-- kept: event is what was read from it.
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
