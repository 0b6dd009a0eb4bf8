-- +goose Up

-- Which blobs the statement of an entry names: the rules and the map of a decision, the
-- source of a released map. Bodies that are too large for their row are not here: that is
-- not said by a statement, and the row itself shows it.
CREATE TABLE blob_use (
  digest   TEXT   NOT NULL,
  from_seq BIGINT NOT NULL,
  to_seq   BIGINT NOT NULL,
  role     TEXT   NOT NULL, -- what the blob is to the entry
  PRIMARY KEY (digest, from_seq)
);

-- How many rows of blob_use an entry has. -1: it was recorded by a version that did not
-- write them, before this step or beside it, so which blobs it names is not known yet.
ALTER TABLE entry ADD COLUMN blobs BIGINT NOT NULL DEFAULT -1;
CREATE INDEX entry_blobs ON entry (seq) WHERE blobs < 0;

-- Bodies that lie in blobs.
CREATE INDEX entry_body ON entry (digest) WHERE payload IS NULL;
CREATE INDEX foreign_bundle_body ON foreign_bundle (from_seq) WHERE data IS NULL;
