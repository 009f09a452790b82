// The tables. Times are integer microseconds since 1970-01-01 UTC. Texts of users are kept as the
// inside of a JSON string: the same text, but for quotes, backslashes, and what UTF-8 or C cannot
// hold (lone surrogates, NUL), which SQLite or Node would change.
//
// The triggers keep numbers and counters right for every writer of this file, in one step with
// what they count. A session's end is not stored: it follows from its last access.

export const APPLICATION_ID = 0x4e534d31; // "NSM1"
export const VERSION = 1;

export const BACK_US = 60_000_000;

/**
 * SQL that sets the last access to a time. A little earlier than the one that is kept, it waited
 * for a lock, and changes nothing; much earlier, that one is of a clock that was set back since.
 */
export const later = (time) => `last_accessed_us =
  CASE WHEN ${time} BETWEEN last_accessed_us - ${BACK_US} AND last_accessed_us
  THEN last_accessed_us ELSE ${time} END`;

export const SCHEMA = `
CREATE TABLE sessions (
    id                 INTEGER PRIMARY KEY,
    session_id         TEXT    NOT NULL UNIQUE CHECK (session_id <> ''),
    first_user_message TEXT,
    chat_id            TEXT,
    parent_id          TEXT,
    metadata           TEXT,
    created_at_us      INTEGER NOT NULL,
    last_accessed_us   INTEGER NOT NULL,
    next_seq           INTEGER NOT NULL DEFAULT 1,
    message_count      INTEGER NOT NULL DEFAULT 0
                       CHECK (message_count >= 0 AND message_count < next_seq),
    -- Not more than JavaScript can count.
    total_tokens       INTEGER NOT NULL DEFAULT 0
                       CHECK (total_tokens BETWEEN 0 AND 9007199254740991),
    total_duration_us  INTEGER NOT NULL DEFAULT 0
                       CHECK (total_duration_us BETWEEN 0 AND 9007199254740991)
) STRICT;

CREATE INDEX sessions_by_access ON sessions (last_accessed_us);

CREATE TABLE messages (
    id             INTEGER PRIMARY KEY,
    sid            INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq            INTEGER NOT NULL CHECK (seq >= 1),
    tokens         INTEGER CHECK (tokens >= 0),
    duration_us    INTEGER CHECK (duration_us >= 0),
    appended_at_us INTEGER NOT NULL,
    body           TEXT    NOT NULL, -- the other fields, as a JSON object
    UNIQUE (sid, seq)
) STRICT;

CREATE TABLE state (
    sid   INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    key   TEXT    NOT NULL,
    value TEXT    NOT NULL, -- JSON
    PRIMARY KEY (sid, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER messages_after_insert AFTER INSERT ON messages
BEGIN
    UPDATE sessions SET
        next_seq = max(next_seq, NEW.seq + 1),
        message_count = message_count + 1,
        total_tokens = total_tokens + coalesce(NEW.tokens, 0),
        total_duration_us = total_duration_us + coalesce(NEW.duration_us, 0),
        ${later("NEW.appended_at_us")}
    WHERE id = NEW.sid;
END;

CREATE TRIGGER messages_after_delete AFTER DELETE ON messages
BEGIN
    UPDATE sessions SET
        message_count = message_count - 1,
        total_tokens = total_tokens - coalesce(OLD.tokens, 0),
        total_duration_us = total_duration_us - coalesce(OLD.duration_us, 0)
    WHERE id = OLD.sid;
END;

CREATE TRIGGER messages_before_update BEFORE UPDATE ON messages
BEGIN
    SELECT RAISE(ABORT, 'a message stays as it is');
END;
`;
