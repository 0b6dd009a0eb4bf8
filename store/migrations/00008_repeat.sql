-- +goose Up

-- The answers to writes that a caller sent under a key, so that sending one again does
-- nothing twice. No evidence: rows go after a day.
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
