-- digest: SHA-256 of a proof's jti, so that its size is ours to say. expires_at: when the proof itself is good no more.
CREATE TABLE proof (
  digest BLOB PRIMARY KEY,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
