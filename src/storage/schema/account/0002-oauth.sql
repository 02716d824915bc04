-- Families of OAuth clients. auth_time, acr, amr: what the session was, for it may be gone; null in a first-party family, whose session
-- says it. jkt: the key that a public client's refresh tokens are bound to. offline: outlives its session (offline_access).
ALTER TABLE family ADD COLUMN auth_time INTEGER;
ALTER TABLE family ADD COLUMN acr TEXT;
ALTER TABLE family ADD COLUMN amr TEXT;
ALTER TABLE family ADD COLUMN jkt TEXT;
ALTER TABLE family ADD COLUMN offline INTEGER NOT NULL DEFAULT 0;
ALTER TABLE family ADD COLUMN logout_uri TEXT;

-- aud, scope: separated by spaces. consumed_by: the try that redeemed it, so that its own repeat is told apart from a replay.
CREATE TABLE authorization_code (
  id TEXT PRIMARY KEY,
  client_id TEXT NOT NULL,
  redirect_uri TEXT,
  scope TEXT NOT NULL,
  aud TEXT NOT NULL,
  code_challenge TEXT,
  nonce TEXT,
  sid TEXT NOT NULL,
  jkt TEXT,
  logout_uri TEXT,
  expires_at INTEGER NOT NULL,
  consumed_by TEXT,
  grant_id TEXT
) STRICT, WITHOUT ROWID;

-- What the person has allowed, for one client at one exact address.
CREATE TABLE consent (
  client_id TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  scope TEXT NOT NULL,
  granted_at INTEGER NOT NULL,
  PRIMARY KEY (client_id, redirect_uri)
) STRICT, WITHOUT ROWID;

-- Access tokens revoked one by one, until they have expired.
CREATE TABLE revoked_token (
  jti TEXT PRIMARY KEY,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
