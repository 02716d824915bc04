-- Logout tokens that this client is still to be sent (OpenID Connect Back-Channel Logout), in order. id: the same at every try.
-- refused: 1 when the client has read it and said no; it is tried again behind the others.
CREATE TABLE logout_notice (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  client_id TEXT NOT NULL,
  uri TEXT NOT NULL,
  sub TEXT NOT NULL,
  sid TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  due_at INTEGER NOT NULL
) STRICT;
