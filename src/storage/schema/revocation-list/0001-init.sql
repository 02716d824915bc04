-- One row: which log this is, and the key of its 64-bit prefixes.
CREATE TABLE log (
  epoch BLOB PRIMARY KEY,
  started_ms INTEGER NOT NULL,
  prefix_key BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- segments: one batch of denials as it goes over the wire (src/protocol/feed.ts); last_end: when all of it may be forgotten.
CREATE TABLE batch (
  sequence INTEGER PRIMARY KEY,
  last_end INTEGER NOT NULL,
  segments BLOB NOT NULL
) STRICT;
