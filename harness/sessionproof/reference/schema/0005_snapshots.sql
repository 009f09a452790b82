-- Sessions as they were, each in one row that needs nothing else: no foreign key, so a snapshot
-- outlives its session. reference/moments/ says what a body holds, reference/digest.py what is
-- summed. What was taken is never changed.

CREATE TABLE snapshots (
    id            INTEGER PRIMARY KEY,
    snapshot_id   TEXT    NOT NULL UNIQUE,
    session_id    ANY     NOT NULL CHECK (typeof(session_id) IN ('text', 'blob')),
    kind          TEXT    NOT NULL
                  CHECK (kind = 'checkpoint' OR kind = 'warning' OR kind = 'expiry'
                         OR kind = 'archive' OR kind = 'delete' OR kind = 'restore'),
    reason        ANY     CHECK (reason IS NULL OR typeof(reason) IN ('text', 'blob')),
    taken_at_us   INTEGER NOT NULL,
    message_count INTEGER NOT NULL CHECK (message_count >= 0),
    digest        BLOB    NOT NULL,
    body          BLOB    NOT NULL
) STRICT;

CREATE INDEX snapshots_by_session ON snapshots (session_id);

CREATE TRIGGER snapshots_before_insert BEFORE INSERT ON snapshots
WHEN EXISTS (SELECT 1 FROM snapshots WHERE snapshot_id = NEW.snapshot_id OR id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'snapshot exists');
END;

CREATE TRIGGER snapshots_before_update BEFORE UPDATE ON snapshots
BEGIN
    SELECT RAISE(ABORT, 'a snapshot stays as it was taken');
END;
