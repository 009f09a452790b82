-- Sessions, their messages, their state.
--
-- Times are integer microseconds since 1970-01-01 UTC. Columns for a user's text are ANY: they
-- hold TEXT, or a BLOB (UTF-8 with surrogates passed) when the text has lone surrogates. JSON
-- columns hold JSON text in the same way.
--
-- The triggers keep numbers, counters and references right for every writer, also for one that
-- never heard of this package and has foreign_keys off.

CREATE TABLE sessions (
    id                INTEGER PRIMARY KEY,
    session_id        ANY     NOT NULL UNIQUE CHECK (typeof(session_id) IN ('text', 'blob')),
    -- Random, new with each life of a session: the ids of its messages begin with it.
    tag               TEXT    NOT NULL DEFAULT (lower(hex(randomblob(8)))),
    status            TEXT    NOT NULL DEFAULT 'active'
                      CHECK (status = 'active' OR status = 'idle' OR status = 'paused'
                             OR status = 'archived' OR status = 'expired'),
    next_seq          INTEGER NOT NULL DEFAULT 1 CHECK (next_seq >= 1),
    message_count     INTEGER NOT NULL DEFAULT 0
                      CHECK (message_count >= 0 AND message_count < next_seq),
    total_tokens      INTEGER NOT NULL DEFAULT 0 CHECK (total_tokens >= 0),
    total_duration_us INTEGER NOT NULL DEFAULT 0 CHECK (total_duration_us >= 0),
    created_at_us     INTEGER NOT NULL,
    last_activity_us  INTEGER NOT NULL,
    idle_timeout_us   INTEGER CHECK (idle_timeout_us > 0),
    hard_deadline_us  INTEGER,
    -- The earlier of both limits; NULL without any. Computed, so it is never out of step.
    deadline_us       INTEGER GENERATED ALWAYS AS (
        min(coalesce(last_activity_us + idle_timeout_us, hard_deadline_us),
            coalesce(hard_deadline_us, last_activity_us + idle_timeout_us))
    ) VIRTUAL,
    owner             ANY     CHECK (owner IS NULL OR typeof(owner) IN ('text', 'blob')),
    title             ANY     CHECK (title IS NULL OR typeof(title) IN ('text', 'blob')),
    llm_model         ANY     CHECK (llm_model IS NULL OR typeof(llm_model) IN ('text', 'blob')),
    metadata          ANY     CHECK (
        CASE typeof(metadata)
            WHEN 'null' THEN 1 WHEN 'blob' THEN 1 WHEN 'text' THEN json_valid(metadata) ELSE 0
        END)
) STRICT;

CREATE INDEX sessions_by_owner ON sessions (owner) WHERE owner IS NOT NULL;

CREATE INDEX sessions_by_deadline ON sessions (deadline_us)
    WHERE deadline_us IS NOT NULL AND status IN ('active', 'idle');

CREATE TABLE messages (
    id             INTEGER PRIMARY KEY CHECK (id > 0),
    sid            INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq            INTEGER NOT NULL CHECK (seq >= 1),
    role           TEXT    CHECK (role = 'user' OR role = 'assistant' OR role = 'tool' OR role = 'system'
                          OR role = 'developer'),
    kind           TEXT    NOT NULL DEFAULT 'text'
                   CHECK (kind = 'text' OR kind = 'tool_call' OR kind = 'tool_result'),
    tokens         INTEGER CHECK (tokens >= 0),
    duration_us    INTEGER CHECK (duration_us >= 0),
    appended_at_us INTEGER NOT NULL,
    -- The client's own time; NULL when it gave none.
    created_at_us  INTEGER CHECK (created_at_us >= 0),
    -- The client's own id; NULL when it gave none: then the id is tag.seq.
    message_id     ANY     CHECK (message_id IS NULL OR typeof(message_id) IN ('text', 'blob')),
    name           ANY     CHECK (name IS NULL OR typeof(name) IN ('text', 'blob')),
    call_id        ANY     CHECK (call_id IS NULL OR typeof(call_id) IN ('text', 'blob')),
    digest         BLOB,
    -- Text content is in content, any other JSON content in content_json.
    content        ANY     CHECK (content IS NULL OR typeof(content) IN ('text', 'blob')),
    content_json   ANY     CHECK (
        CASE typeof(content_json)
            WHEN 'null' THEN 1 WHEN 'blob' THEN content IS NULL
            WHEN 'text' THEN content IS NULL AND json_valid(content_json) ELSE 0
        END),
    arguments      ANY     CHECK (
        CASE typeof(arguments)
            WHEN 'null' THEN 1 WHEN 'blob' THEN 1 WHEN 'text' THEN json_valid(arguments) ELSE 0
        END),
    metadata       ANY     CHECK (
        CASE typeof(metadata)
            WHEN 'null' THEN 1 WHEN 'blob' THEN 1 WHEN 'text' THEN json_valid(metadata) ELSE 0
        END),
    UNIQUE (sid, seq)
) STRICT;

CREATE UNIQUE INDEX messages_by_message_id ON messages (sid, message_id)
    WHERE message_id IS NOT NULL;

CREATE TABLE state (
    sid   INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    key   ANY     NOT NULL CHECK (typeof(key) IN ('text', 'blob')),
    value ANY     NOT NULL CHECK (
        CASE typeof(value) WHEN 'blob' THEN 1 WHEN 'text' THEN json_valid(value) ELSE 0 END),
    PRIMARY KEY (sid, key)
) STRICT, WITHOUT ROWID;

-- A message gets the next number of a session that takes messages, or none.
CREATE TRIGGER messages_before_insert BEFORE INSERT ON messages
WHEN NEW.seq IS NOT (
    SELECT next_seq FROM sessions WHERE id = NEW.sid AND status IN ('active', 'idle'))
BEGIN
    SELECT RAISE(ABORT, 'not the next number of a session that takes messages');
END;

-- INSERT OR REPLACE would remove a message behind the counters' back.
CREATE TRIGGER messages_before_insert_row BEFORE INSERT ON messages
WHEN NEW.id > 0 AND EXISTS (SELECT 1 FROM messages WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'message row exists');
END;

-- Ids are unique in a session, those of the form tag.seq included.
CREATE TRIGGER messages_before_insert_id BEFORE INSERT ON messages
WHEN NEW.message_id IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'message id is taken')
    WHERE EXISTS (SELECT 1 FROM messages WHERE sid = NEW.sid AND message_id = NEW.message_id)
       OR EXISTS (
           SELECT 1 FROM sessions AS s
           WHERE s.id = NEW.sid
             AND substr(NEW.message_id, 1, length(s.tag) + 1) = s.tag || '.'
             AND (CAST(substr(NEW.message_id, length(s.tag) + 2) AS INTEGER) >= s.next_seq
                  OR EXISTS (
                      SELECT 1 FROM messages AS m
                      WHERE m.sid = NEW.sid AND m.message_id IS NULL AND m.seq =
                          CAST(substr(NEW.message_id, length(s.tag) + 2) AS INTEGER))));
END;

CREATE TRIGGER messages_before_update_id BEFORE UPDATE OF message_id ON messages
WHEN NEW.message_id IS NOT OLD.message_id AND NEW.message_id IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'message id is taken')
    WHERE EXISTS (SELECT 1 FROM messages WHERE sid = NEW.sid AND message_id = NEW.message_id)
       OR EXISTS (
           SELECT 1 FROM sessions AS s
           WHERE s.id = NEW.sid
             AND substr(NEW.message_id, 1, length(s.tag) + 1) = s.tag || '.'
             AND (CAST(substr(NEW.message_id, length(s.tag) + 2) AS INTEGER) >= s.next_seq
                  OR EXISTS (
                      SELECT 1 FROM messages AS m
                      WHERE m.sid = NEW.sid AND m.message_id IS NULL AND m.id <> NEW.id
                        AND m.seq =
                          CAST(substr(NEW.message_id, length(s.tag) + 2) AS INTEGER))));
END;

CREATE TRIGGER messages_before_move BEFORE UPDATE OF id, sid, seq ON messages
BEGIN
    SELECT RAISE(ABORT, 'a message keeps its session and its number');
END;

CREATE TRIGGER messages_after_insert AFTER INSERT ON messages
BEGIN
    UPDATE sessions SET
        next_seq = NEW.seq + 1,
        message_count = message_count + 1,
        total_tokens = total_tokens + coalesce(NEW.tokens, 0),
        total_duration_us = total_duration_us + coalesce(NEW.duration_us, 0),
        last_activity_us = NEW.appended_at_us,
        status = 'active'
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

CREATE TRIGGER messages_after_update AFTER UPDATE OF tokens, duration_us ON messages
BEGIN
    UPDATE sessions SET
        total_tokens = total_tokens - coalesce(OLD.tokens, 0) + coalesce(NEW.tokens, 0),
        total_duration_us =
            total_duration_us - coalesce(OLD.duration_us, 0) + coalesce(NEW.duration_us, 0)
    WHERE id = NEW.sid;
END;

-- INSERT OR REPLACE would remove a session and leave its messages behind.
CREATE TRIGGER sessions_before_insert BEFORE INSERT ON sessions
BEGIN
    SELECT RAISE(ABORT, 'session exists')
    WHERE EXISTS (SELECT 1 FROM sessions WHERE session_id = NEW.session_id OR id = NEW.id);
    SELECT RAISE(ABORT, 'a new session counts nothing')
    WHERE NEW.message_count <> 0 OR NEW.total_tokens <> 0 OR NEW.total_duration_us <> 0;
END;

CREATE TRIGGER sessions_before_rename BEFORE UPDATE OF id, session_id, tag ON sessions
BEGIN
    SELECT RAISE(ABORT, 'a session keeps its id');
END;

CREATE TRIGGER sessions_before_renumber BEFORE UPDATE OF next_seq ON sessions
WHEN NEW.next_seq < OLD.next_seq
BEGIN
    SELECT RAISE(ABORT, 'numbers are never given again');
END;

CREATE TRIGGER sessions_before_delete BEFORE DELETE ON sessions
BEGIN
    DELETE FROM messages WHERE sid = OLD.id;
    DELETE FROM state WHERE sid = OLD.id;
END;

CREATE TRIGGER state_before_insert BEFORE INSERT ON state
WHEN NOT EXISTS (SELECT 1 FROM sessions WHERE id = NEW.sid)
BEGIN
    SELECT RAISE(ABORT, 'state needs its session');
END;

CREATE TRIGGER state_before_move BEFORE UPDATE OF sid ON state
BEGIN
    SELECT RAISE(ABORT, 'state keeps its session');
END;
