-- The newest steps of the log, one row each, in a ring (slot = sequence modulo its size, src/revocation/list-store.ts): a row is written
-- over when its step has long been packed, so a step costs one row written and none deleted.
CREATE TABLE tail (
  slot INTEGER PRIMARY KEY,
  sequence INTEGER NOT NULL,
  last_end INTEGER NOT NULL,
  segments BLOB NOT NULL
) STRICT;

-- Packed steps, and steps that are large by themselves. sequence: the newest step in it; first_end: when the first of it may be forgotten.
CREATE TABLE base (
  sequence INTEGER PRIMARY KEY,
  first_end INTEGER NOT NULL,
  last_end INTEGER NOT NULL,
  segments BLOB NOT NULL
) STRICT;

-- 0: not known, so the next sweep looks.
INSERT INTO base (sequence, first_end, last_end, segments) SELECT sequence, 0, last_end, segments FROM batch;

-- packed: the newest step of which no row of the tail is needed any more.
ALTER TABLE log ADD COLUMN packed INTEGER NOT NULL DEFAULT 0;
UPDATE log SET packed = (SELECT coalesce(max(sequence), 0) FROM batch);

DROP TABLE batch;
