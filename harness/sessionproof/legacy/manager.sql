-- Legacy: the session manager's only table. The id is a hash of the first message, each use moves
-- expires_at on, and messages live elsewhere: parent_message_id names the newest.

CREATE TABLE sessions (
    id                 TEXT PRIMARY KEY,
    chat_id            TEXT NOT NULL,
    parent_message_id  TEXT,
    first_user_message TEXT NOT NULL,
    model              TEXT,
    created_at         DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at         DATETIME DEFAULT CURRENT_TIMESTAMP,
    expires_at         DATETIME NOT NULL,
    metadata           TEXT
);

CREATE INDEX idx_sessions_chat ON sessions (chat_id);
