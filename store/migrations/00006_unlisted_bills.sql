-- +goose Up

-- Every command that opens the log asks whether a bill is not listed yet. With nothing but a
-- condition the index was passed over on SQLite for that of kinds, and each bill was read.
DROP INDEX entry_bills;
CREATE INDEX entry_bills ON entry (kind, bills, seq) WHERE bills < 0 AND kind = 'sbom';
