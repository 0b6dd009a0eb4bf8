-- +goose Up
CREATE TABLE moved (
  id    BIGINT NOT NULL PRIMARY KEY, -- 0: there is one row, or none
  place TEXT   NOT NULL,             -- where the log goes on
  at    BIGINT NOT NULL
);
