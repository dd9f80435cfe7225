"""Tables of the journal."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL, version INTEGER NOT NULL, study TEXT NOT NULL,
  state TEXT NOT NULL, sender TEXT NOT NULL, interrupted INTEGER NOT NULL DEFAULT 0,
  images INTEGER NOT NULL DEFAULT 0, expected INTEGER, received_at REAL NOT NULL, changed_at REAL NOT NULL,
  rule TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '',
  hint TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL DEFAULT 0,
  seconds REAL, engine_seconds REAL, UNIQUE (uid, version));
CREATE INDEX IF NOT EXISTS series_by_state ON series (state);
CREATE INDEX IF NOT EXISTS series_by_study ON series (study);
CREATE TABLE IF NOT EXISTS images (uid TEXT NOT NULL, series TEXT NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (series, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
  series INTEGER NOT NULL, file TEXT NOT NULL, destination TEXT NOT NULL, state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL DEFAULT 0, code TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '', changed_at REAL NOT NULL, PRIMARY KEY (series, file, destination));
CREATE INDEX IF NOT EXISTS deliveries_by_state ON deliveries (state, destination);
CREATE TABLE IF NOT EXISTS regions (series TEXT NOT NULL, fingerprint TEXT NOT NULL,
  PRIMARY KEY (series, fingerprint)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (series INTEGER NOT NULL, at REAL NOT NULL, state TEXT NOT NULL,
  code TEXT NOT NULL, reason TEXT NOT NULL);
"""
VERSION = 1
