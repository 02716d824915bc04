-- One client. Times are integer seconds. client: what it is, as JSON (src/clients/client.ts); no row: it registered nothing here.
-- registration_hash: base64url of SHA-256 of the registration access token (RFC 7592).
CREATE TABLE client (
  client_id TEXT PRIMARY KEY,
  client TEXT NOT NULL,
  registration_hash TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT, WITHOUT ROWID;

-- hash: base64url of SHA-256. expires_at null: until another one takes its place.
CREATE TABLE client_secret (
  hash TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) STRICT, WITHOUT ROWID;

-- Machine tokens taken back before their time; kept until they would have expired.
CREATE TABLE revoked_token (
  jti TEXT PRIMARY KEY,
  exp INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The registration that was removed, while the list does not know yet: whoever repeats the removal is answered when it does.
CREATE TABLE removal (
  registration_hash TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
