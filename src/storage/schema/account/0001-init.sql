-- One account. Times are integer seconds unless a name ends in _ms; ids are base64url of 128 random bits.
CREATE TABLE account (
  sub TEXT PRIMARY KEY,
  email TEXT NOT NULL,
  name TEXT,
  roles TEXT NOT NULL,
  ver INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  banned_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE password (
  sub TEXT PRIMARY KEY,
  phc TEXT NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- counter: 'account' for tries from unknown devices, else the id of a known device.
CREATE TABLE attempt (
  counter TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,
  blocked_until_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- secret_hash: SHA-256 of the cookie's secret; null for a session that lives in a token family.
CREATE TABLE session (
  sid TEXT PRIMARY KEY,
  secret_hash BLOB,
  auth_time INTEGER NOT NULL,
  acr TEXT NOT NULL,
  amr TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  idle_seconds INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT, WITHOUT ROWID;

-- rotations: JSON [[second, lowest generation rotated in it], ...] of the last 30 s.
-- recovered: the last generation whose lost response was answered again (zone B).
-- echoed, echoes: the last generation replayed in zone A from another network, and how many in a row.
CREATE TABLE family (
  grant_id TEXT PRIMARY KEY,
  sid TEXT NOT NULL,
  client_id TEXT NOT NULL,
  scope TEXT NOT NULL,
  aud TEXT NOT NULL,
  seed BLOB NOT NULL,
  generation INTEGER NOT NULL,
  secret_id TEXT NOT NULL,
  rotated_at INTEGER NOT NULL,
  rotations TEXT NOT NULL,
  recovered INTEGER,
  network TEXT NOT NULL,
  echoed INTEGER,
  echoes INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT, WITHOUT ROWID;

-- What another object must still be told; written in the transaction that made it true.
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
