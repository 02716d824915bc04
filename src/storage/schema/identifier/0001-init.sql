-- digest: SHA-256 of the normalised identifier, so that a copy of a shard is no list of addresses.
CREATE TABLE identifier (
  digest BLOB PRIMARY KEY,
  sub TEXT NOT NULL
) STRICT, WITHOUT ROWID;
