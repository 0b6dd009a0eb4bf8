-- +goose Up

-- Which components which artifacts were built with. A bill is what one statement lists of
-- the components of an artifact; its number is what bitmaps are made of. A newer bill of
-- the same producer about the same artifacts ends the older one.
CREATE TABLE package (
  id        BIGINT NOT NULL PRIMARY KEY,
  ecosystem TEXT   NOT NULL, -- as OSV names it; pkg:TYPE for a type that it has no word for
  name      TEXT   NOT NULL
);
CREATE UNIQUE INDEX package_name ON package (name, ecosystem);

-- The licence is that of the bill: two bills that state different ones make two rows.
CREATE TABLE component (
  id      BIGINT NOT NULL PRIMARY KEY,
  package BIGINT NOT NULL,
  version TEXT   NOT NULL,
  licence TEXT   NOT NULL
);
CREATE UNIQUE INDEX component_version ON component (package, version, licence);

-- Who states bills, about what: what a map's trust is asked for.
CREATE TABLE bill_source (
  id          BIGINT NOT NULL PRIMARY KEY,
  producer    TEXT   NOT NULL,
  service     TEXT   NOT NULL,
  environment TEXT   NOT NULL
);
CREATE UNIQUE INDEX bill_source_producer ON bill_source (producer, service, environment);

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
CREATE UNIQUE INDEX bill_from ON bill (from_seq);
CREATE INDEX bill_about ON bill (about, from_seq);
CREATE INDEX bill_source_of ON bill (source);
CREATE INDEX bill_ended ON bill (to_seq) WHERE to_seq < 9223372036854775807;

-- What a bill lists, apart from it: most questions about bills do not read it.
CREATE TABLE bill_component (
  number     BIGINT NOT NULL PRIMARY KEY,
  components blob   NOT NULL -- ids in rising order: see packIDs
);

-- The bills of each component as sets of numbers, by segments of 65,536 bills. Bills from
-- folded on are not in them yet, or not all, and are looked through one by one.
CREATE TABLE component_segment (
  component BIGINT NOT NULL,
  segment   BIGINT NOT NULL,
  bills     blob   NOT NULL,
  PRIMARY KEY (component, segment)
);
CREATE TABLE component_index (
  id     BIGINT NOT NULL PRIMARY KEY, -- 0: there is one row
  folded BIGINT NOT NULL
);
INSERT INTO component_index (id, folded) VALUES (0, 0);

-- How many rows of bill an entry has. -1: it was recorded by a version that did not write
-- them, before this step or beside it, and its body has to be read.
ALTER TABLE entry ADD COLUMN bills BIGINT NOT NULL DEFAULT -1;
CREATE INDEX entry_bills ON entry (seq) WHERE bills < 0 AND kind = 'sbom';
