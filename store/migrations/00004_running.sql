-- +goose Up

-- What is stated to run where. A row is open while the deployment that it comes from is
-- the last word: a deployment of another digest ends it, and so does an outcome that says
-- that its digest was rolled back or never came to run. Of one artifact of one service at
-- most one digest runs in an environment: running_open refuses a second.
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
CREATE UNIQUE INDEX running_open ON running (environment, service, name) WHERE to_seq = 9223372036854775807;
CREATE INDEX running_end ON running (to_seq);
CREATE INDEX running_environment ON running (environment, to_seq);
CREATE INDEX running_service ON running (service, to_seq);
CREATE INDEX running_digest ON running (digest, to_seq);
