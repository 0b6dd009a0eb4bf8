-- +goose Up

-- The version before named the source of a released or proposed map alone, and not the
-- rules that the map has beside itself: a sweep took them. What such an entry names is
-- not known again, and is found out from its body.
DELETE FROM blob_use WHERE from_seq IN (SELECT seq FROM entry WHERE kind IN ('map-release', 'proposal'));
UPDATE entry SET blobs = -1 WHERE kind IN ('map-release', 'proposal');
