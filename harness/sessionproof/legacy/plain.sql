-- Legacy: sessions and messages without triggers, as they were before the enhanced schema.
-- The program adds to message_count and total_tokens by hand, beside each insert.

CREATE TABLE sessions (
    session_id    TEXT PRIMARY KEY,
    title         TEXT,
    model         TEXT,
    status        TEXT DEFAULT 'active',
    created_at    TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at    TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    message_count INTEGER DEFAULT 0,
    total_tokens  INTEGER DEFAULT 0,
    metadata      TEXT
);

CREATE TABLE messages (
    message_id  TEXT PRIMARY KEY,
    session_id  TEXT NOT NULL,
    role        TEXT NOT NULL,
    content     TEXT NOT NULL,
    timestamp   TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    tokens_used INTEGER DEFAULT 0,
    metadata    TEXT,
    FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE
);

CREATE INDEX idx_messages_session ON messages (session_id);
CREATE INDEX idx_sessions_updated ON sessions (updated_at);
