-- At most one row of one of them. What a client pushed (RFC 9126); parameters: JSON.
CREATE TABLE pushed_request (
  client_id TEXT PRIMARY KEY,
  parameters TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a device waits for (RFC 8628). state: pending, approved, denied. viewer: the session that has first looked at it, as `sub sid`.
CREATE TABLE device_request (
  client_id TEXT PRIMARY KEY,
  secret_hash BLOB NOT NULL,
  scope TEXT NOT NULL,
  aud TEXT NOT NULL,
  state TEXT NOT NULL,
  viewer TEXT,
  sub TEXT,
  code TEXT,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
