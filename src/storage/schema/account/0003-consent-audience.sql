-- What was allowed is for the audience that was shown: one row for each. What was remembered without one is asked again.
DROP TABLE consent;
CREATE TABLE consent (
  client_id TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  aud TEXT NOT NULL,
  scope TEXT NOT NULL,
  granted_at INTEGER NOT NULL,
  PRIMARY KEY (client_id, redirect_uri, aud)
) STRICT, WITHOUT ROWID;
