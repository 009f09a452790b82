-- Legacy: the enhanced schema, with its defects. Triggers count, views judge timeouts, snapshots
-- and a search table stand beside. docs/errata.md says what is wrong with it; nothing is mended.

CREATE TABLE IF NOT EXISTS models (
    model_id       TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    provider       TEXT,
    context_window INTEGER,
    created_at     TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS sessions (
    session_id     TEXT PRIMARY KEY,
    model_id       TEXT NOT NULL,
    title          TEXT,
    status         TEXT DEFAULT 'active'
                   CHECK (status IN ('active', 'idle', 'paused', 'archived', 'expired')),
    created_at     TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at     TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    last_activity  TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    message_count  INTEGER DEFAULT 0 CHECK (message_count >= 0),
    total_tokens   INTEGER DEFAULT 0 CHECK (total_tokens >= 0),
    total_duration REAL DEFAULT 0.0,
    idle_timeout   INTEGER DEFAULT 3600,
    hard_timeout   INTEGER DEFAULT 86400,
    expires_at     TIMESTAMP,
    metadata       TEXT,
    FOREIGN KEY (model_id) REFERENCES models (model_id) ON DELETE SET NULL
);

CREATE TABLE IF NOT EXISTS messages (
    message_id       TEXT PRIMARY KEY,
    session_id       TEXT NOT NULL,
    sequence_number  INTEGER NOT NULL,
    role             TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
    content          TEXT NOT NULL,
    timestamp        TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    tokens_used      INTEGER,
    duration_seconds REAL,
    metadata         TEXT,
    FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE,
    UNIQUE (session_id, sequence_number)
);

CREATE TABLE IF NOT EXISTS session_timeouts (
    session_id           TEXT PRIMARY KEY,
    idle_timeout_seconds INTEGER DEFAULT 3600,
    hard_timeout_seconds INTEGER DEFAULT 86400,
    last_activity        TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    expires_at           TIMESTAMP,
    warning_sent         BOOLEAN DEFAULT 0,
    FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS session_snapshots (
    snapshot_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id    TEXT NOT NULL,
    snapshot_type TEXT DEFAULT 'manual'
                  CHECK (snapshot_type IN ('manual', 'auto', 'archive', 'pre_delete')),
    snapshot_data TEXT NOT NULL,
    message_count INTEGER,
    created_at    TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE
);

CREATE VIRTUAL TABLE IF NOT EXISTS messages_fts USING fts5 (
    message_id UNINDEXED, session_id UNINDEXED, content
);

CREATE INDEX IF NOT EXISTS idx_sessions_model ON sessions (model_id);
CREATE INDEX IF NOT EXISTS idx_sessions_status ON sessions (status);
CREATE INDEX IF NOT EXISTS idx_sessions_status_updated ON sessions (status, updated_at);
CREATE INDEX IF NOT EXISTS idx_sessions_listing
    ON sessions (updated_at DESC, session_id, title, message_count);
CREATE INDEX IF NOT EXISTS idx_messages_session ON messages (session_id);
CREATE INDEX IF NOT EXISTS idx_messages_session_seq ON messages (session_id, sequence_number);
CREATE INDEX IF NOT EXISTS idx_messages_session_time ON messages (session_id, timestamp);
CREATE INDEX IF NOT EXISTS idx_messages_role ON messages (role);
CREATE INDEX IF NOT EXISTS idx_timeouts_expires ON session_timeouts (expires_at);
CREATE INDEX IF NOT EXISTS idx_snapshots_session ON session_snapshots (session_id);

CREATE VIEW session_statistics AS
SELECT model_id,
       COUNT(*) AS session_count,
       COUNT(DISTINCT message_count) AS total_messages,
       SUM(total_tokens) AS total_tokens,
       AVG(total_duration) AS average_duration
FROM sessions
GROUP BY model_id;

CREATE VIEW active_sessions AS
SELECT session_id, title, status, updated_at, message_count
FROM sessions
WHERE status IN ('active', 'idle')
ORDER BY updated_at DESC;

CREATE VIEW sessions_needing_timeout AS
SELECT s.session_id,
       s.status,
       t.last_activity,
       t.expires_at,
       CASE
           WHEN t.expires_at IS NOT NULL AND julianday(t.expires_at) < julianday('now')
               THEN 'hard_expired'
           WHEN (julianday('now') - julianday(t.last_activity)) * 86400 > t.idle_timeout_seconds
               THEN 'idle_expired'
           WHEN (julianday('now') - julianday(t.last_activity)) * 86400
                > t.idle_timeout_seconds * 0.8
               THEN 'warning'
           ELSE 'ok'
       END AS timeout_status
FROM sessions AS s
LEFT JOIN session_timeouts AS t ON t.session_id = s.session_id
WHERE s.status IN ('active', 'idle');

CREATE TRIGGER IF NOT EXISTS update_session_on_message_insert
AFTER INSERT ON messages
BEGIN
    UPDATE sessions SET
        message_count = (SELECT COUNT(*) FROM messages WHERE session_id = NEW.session_id),
        total_tokens = total_tokens + COALESCE(NEW.tokens_used, 0),
        total_duration = total_duration + COALESCE(NEW.duration_seconds, 0),
        last_activity = CURRENT_TIMESTAMP
    WHERE session_id = NEW.session_id;
END;

CREATE TRIGGER IF NOT EXISTS update_session_on_message_delete
AFTER DELETE ON messages
BEGIN
    UPDATE sessions SET
        message_count = (SELECT COUNT(*) FROM messages WHERE session_id = OLD.session_id),
        total_tokens = total_tokens - COALESCE(OLD.tokens_used, 0),
        total_duration = total_duration - COALESCE(OLD.duration_seconds, 0),
        last_activity = CURRENT_TIMESTAMP
    WHERE session_id = OLD.session_id;
END;

CREATE TRIGGER IF NOT EXISTS update_session_timestamp
AFTER UPDATE ON sessions
BEGIN
    UPDATE sessions SET updated_at = CURRENT_TIMESTAMP WHERE session_id = NEW.session_id;
END;

CREATE TRIGGER IF NOT EXISTS update_timeout_on_message
AFTER INSERT ON messages
BEGIN
    UPDATE session_timeouts SET last_activity = CURRENT_TIMESTAMP, warning_sent = 0
    WHERE session_id = NEW.session_id;
END;

CREATE TRIGGER IF NOT EXISTS snapshot_on_archive
AFTER UPDATE OF status ON sessions
WHEN NEW.status = 'archived' AND OLD.status <> 'archived'
BEGIN
    INSERT INTO session_snapshots (session_id, snapshot_type, snapshot_data, message_count)
    VALUES (NEW.session_id, 'archive',
            json_object('session_id', NEW.session_id, 'title', NEW.title, 'model_id', NEW.model_id,
                        'message_count', NEW.message_count, 'total_tokens', NEW.total_tokens),
            NEW.message_count);
END;

CREATE TRIGGER IF NOT EXISTS snapshot_before_delete
BEFORE DELETE ON sessions
BEGIN
    INSERT INTO session_snapshots (session_id, snapshot_type, snapshot_data, message_count)
    VALUES (OLD.session_id, 'pre_delete',
            json_object('session_id', OLD.session_id, 'title', OLD.title, 'model_id', OLD.model_id,
                        'message_count', OLD.message_count, 'total_tokens', OLD.total_tokens),
            OLD.message_count);
END;
