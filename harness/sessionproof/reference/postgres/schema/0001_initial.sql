-- Sessions, their messages, their state, the models that they name. All in one schema, which is the
-- search path of the connection.
--
-- Times are integer microseconds since 1970-01-01 UTC. JSON is text that was checked to be JSON:
-- jsonb would change numbers and the order of keys, and takes no U+0000. A text of a user can be
-- longer than an entry of an index, so keys are indexed by their SHA-256.
--
-- The triggers keep numbers, counters and references right for every writer. They say no with
-- codes of their own: SP001 for a number or an id that is not to be had (nothing was stored), SP002
-- for what is never right. They name their schema, so they hold whatever the writer's path is.

CREATE FUNCTION text_key(value text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT pg_catalog.sha256(pg_catalog.convert_to(value, 'UTF8')) $$;

-- What a value may be is said by its type: a CHECK of a table is parsed anew by each statement, those
-- of types are kept.
CREATE DOMAIN json_text AS text
    CHECK (VALUE IS NULL OR VALUE::pg_catalog.json IS NOT NULL);
CREATE DOMAIN from_zero AS bigint CHECK (VALUE >= 0);
CREATE DOMAIN from_one AS bigint CHECK (VALUE >= 1);
CREATE DOMAIN session_status AS text
    CHECK (VALUE IN ('active', 'idle', 'paused', 'archived', 'expired'));
CREATE DOMAIN message_role AS text
    CHECK (VALUE IN ('user', 'assistant', 'tool', 'system', 'developer'));
CREATE DOMAIN message_kind AS text CHECK (VALUE IN ('text', 'tool_call', 'tool_result'));

CREATE TABLE llm_models (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text   NOT NULL
);

CREATE UNIQUE INDEX llm_models_by_name ON llm_models (text_key(name));

CREATE TABLE sessions (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    next_seq          from_one  NOT NULL DEFAULT 1,
    message_count     from_zero NOT NULL DEFAULT 0,
    total_tokens      from_zero NOT NULL DEFAULT 0,
    total_duration_us from_zero NOT NULL DEFAULT 0,
    created_at_us     bigint NOT NULL,
    last_activity_us  bigint NOT NULL,
    idle_timeout_us   from_one,
    hard_deadline_us  bigint,
    -- So long before its deadline a session is warned of; NULL: never.
    warn_us           from_zero,
    -- A sweep has nothing to do before; NULL: never. Activity does not move it, as an index has it
    -- and updates of sessions are to touch no index: the sweep does.
    look_at_us        bigint,
    llm_model_id      bigint REFERENCES llm_models (id),
    status            session_status NOT NULL DEFAULT 'active',
    -- Random, new with each life of a session: the ids of its messages begin with it.
    tag               text   NOT NULL
                      DEFAULT substr(replace(gen_random_uuid()::text, '-', ''), 17),
    session_id        text   NOT NULL,
    owner             text,
    title             text,
    metadata          json_text,
    CHECK (message_count < next_seq)
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX sessions_by_session_id ON sessions (text_key(session_id));

CREATE INDEX sessions_by_owner ON sessions (text_key(owner)) WHERE owner IS NOT NULL;

CREATE INDEX sessions_by_llm_model ON sessions (llm_model_id) WHERE llm_model_id IS NOT NULL;

CREATE INDEX sessions_by_look_at ON sessions (look_at_us) WHERE look_at_us IS NOT NULL;

CREATE TABLE messages (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sid            bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq            from_one NOT NULL,
    appended_at_us bigint NOT NULL,
    -- The client's own time; NULL when it gave none.
    created_at_us  from_zero,
    tokens         from_zero,
    duration_us    from_zero,
    role           message_role,
    kind           message_kind NOT NULL DEFAULT 'text',
    -- The client's own id; NULL when it gave none: then the id is tag.seq.
    message_id     text,
    name           text,
    call_id        text,
    -- Text content is in content, any other JSON content in content_json.
    content        text,
    content_json   json_text CHECK (content_json IS NULL OR content IS NULL),
    arguments      json_text,
    metadata       json_text,
    UNIQUE (sid, seq)
);

CREATE UNIQUE INDEX messages_by_message_id ON messages (sid, text_key(message_id))
    WHERE message_id IS NOT NULL;

CREATE TABLE state (
    sid   bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    key   text   NOT NULL,
    value json_text NOT NULL
);

CREATE UNIQUE INDEX state_by_key ON state (sid, text_key(key));

-- What the search has still to look at (see the step of the search). What is taken off leaves dead
-- rows, over which each search goes.
CREATE TABLE search_again (number bigint NOT NULL)
WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- A message gets the next number of a session that takes messages, or none. One statement counts it,
-- sees to that, and lists it for the search: whoever was faster has moved the number.
--
-- One that was late in its queue does not move the last activity back. What is earlier by more than
-- a minute was written by a clock that was set back, which counts from then on.
CREATE FUNCTION count_message() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    WITH counted AS (
        UPDATE sessions SET
            next_seq = NEW.seq + 1,
            message_count = message_count + 1,
            total_tokens = total_tokens + coalesce(NEW.tokens, 0),
            total_duration_us = total_duration_us + coalesce(NEW.duration_us, 0),
            last_activity_us = CASE
                WHEN NEW.appended_at_us BETWEEN last_activity_us - 60000000 AND last_activity_us
                THEN last_activity_us ELSE NEW.appended_at_us END,
            look_at_us = CASE
                WHEN status = 'active' AND NEW.appended_at_us >= last_activity_us - 60000000
                THEN look_at_us ELSE look_at_us - look_at_us END,
            status = 'active'
        WHERE id = NEW.sid AND next_seq = NEW.seq AND status IN ('active', 'idle')
        RETURNING id
    )
    INSERT INTO search_again SELECT NEW.id FROM counted;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not the next number of a session that takes messages'
            USING ERRCODE = 'SP001';
    END IF;
    RETURN NULL;
END $$;

-- The same for all messages of a statement at once: else each of a batch would leave a version of
-- its session behind, which nobody can tidy up before the batch is committed. For one message this
-- takes longer, so whoever adds several says so, until the end of the transaction.
CREATE FUNCTION count_messages() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    number bigint;
BEGIN
    WITH a AS MATERIALIZED (
        SELECT sid, min(seq) AS first, max(seq) AS last, count(*) AS messages,
               coalesce(sum(tokens), 0) AS tokens, coalesce(sum(duration_us), 0) AS duration_us,
               max(appended_at_us) AS at_us
        FROM added GROUP BY sid
    ), counted AS (
        UPDATE sessions AS s SET
            next_seq = a.last + 1,
            message_count = s.message_count + a.messages,
            total_tokens = s.total_tokens + a.tokens,
            total_duration_us = s.total_duration_us + a.duration_us,
            last_activity_us = CASE
                WHEN a.at_us BETWEEN s.last_activity_us - 60000000 AND s.last_activity_us
                THEN s.last_activity_us ELSE a.at_us END,
            look_at_us = CASE
                WHEN s.status = 'active' AND a.at_us >= s.last_activity_us - 60000000
                THEN s.look_at_us ELSE s.look_at_us - s.look_at_us END,
            status = 'active'
        FROM a
        WHERE s.id = a.sid AND s.next_seq = a.first AND a.last - a.first + 1 = a.messages
          AND s.status IN ('active', 'idle')
        RETURNING s.id
    )
    INSERT INTO search_again SELECT m.id FROM added AS m JOIN counted ON counted.id = m.sid;
    GET DIAGNOSTICS number = ROW_COUNT;
    IF number <> (SELECT count(*) FROM added) THEN
        RAISE EXCEPTION 'not the next number of a session that takes messages'
            USING ERRCODE = 'SP001';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER messages_after_insert AFTER INSERT ON messages
FOR EACH ROW WHEN (current_setting('sessionproof.together', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION count_message();

CREATE TRIGGER messages_after_inserts AFTER INSERT ON messages
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT WHEN (current_setting('sessionproof.together', true) = 'on')
EXECUTE FUNCTION count_messages();

-- By statement, as a session may lose many messages at once. When the session itself goes, there is
-- nothing left to count.
CREATE FUNCTION uncount_messages() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE sessions AS s SET
        message_count = s.message_count - g.messages,
        total_tokens = s.total_tokens - g.tokens,
        total_duration_us = s.total_duration_us - g.duration_us
    FROM (
        SELECT sid, count(*) AS messages, coalesce(sum(tokens), 0) AS tokens,
               coalesce(sum(duration_us), 0) AS duration_us
        FROM gone GROUP BY sid
    ) AS g
    WHERE s.id = g.sid;
    RETURN NULL;
END $$;

CREATE TRIGGER messages_after_delete AFTER DELETE ON messages
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION uncount_messages();

CREATE FUNCTION recount_message() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE sessions SET
        total_tokens = total_tokens - coalesce(OLD.tokens, 0) + coalesce(NEW.tokens, 0),
        total_duration_us =
            total_duration_us - coalesce(OLD.duration_us, 0) + coalesce(NEW.duration_us, 0)
    WHERE id = NEW.sid;
    RETURN NULL;
END $$;

CREATE TRIGGER messages_after_update AFTER UPDATE OF tokens, duration_us ON messages
FOR EACH ROW
WHEN (NEW.tokens IS DISTINCT FROM OLD.tokens OR NEW.duration_us IS DISTINCT FROM OLD.duration_us)
EXECUTE FUNCTION recount_message();

-- Ids are unique in a session, those of the form tag.seq included: such a one may be given anew to
-- the very message whose it is, and to none before its number was given. The session is locked, so
-- that nobody gives its next number meanwhile.
CREATE FUNCTION check_message_id() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    its sessions%ROWTYPE;
    number numeric;
BEGIN
    SELECT * INTO its FROM sessions WHERE id = NEW.sid FOR UPDATE;
    IF FOUND AND starts_with(NEW.message_id, its.tag || '.') THEN
        number := substring(substr(NEW.message_id, length(its.tag) + 2) FROM '^[0-9]{1,18}$');
        IF number IS NOT NULL AND number <> NEW.seq AND (
            number >= its.next_seq OR EXISTS (
                SELECT FROM messages
                WHERE sid = NEW.sid AND seq = number AND message_id IS NULL AND id <> NEW.id))
        THEN
            RAISE EXCEPTION 'message id is taken' USING ERRCODE = 'SP001';
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER messages_before_insert_id BEFORE INSERT ON messages
FOR EACH ROW WHEN (NEW.message_id IS NOT NULL) EXECUTE FUNCTION check_message_id();

CREATE TRIGGER messages_before_update_id BEFORE UPDATE OF message_id ON messages
FOR EACH ROW
WHEN (NEW.message_id IS NOT NULL AND NEW.message_id IS DISTINCT FROM OLD.message_id)
EXECUTE FUNCTION check_message_id();

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'SP002'; END $$;

CREATE TRIGGER messages_before_move BEFORE UPDATE OF id, sid, seq ON messages
FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.sid <> OLD.sid OR NEW.seq <> OLD.seq)
EXECUTE FUNCTION refuse('a message keeps its session and its number');

CREATE TRIGGER sessions_before_insert BEFORE INSERT ON sessions
FOR EACH ROW
WHEN (NEW.message_count <> 0 OR NEW.total_tokens <> 0 OR NEW.total_duration_us <> 0)
EXECUTE FUNCTION refuse('a new session counts nothing');

CREATE TRIGGER sessions_before_rename BEFORE UPDATE OF id, session_id, tag ON sessions
FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.session_id <> OLD.session_id OR NEW.tag <> OLD.tag)
EXECUTE FUNCTION refuse('a session keeps its id');

CREATE TRIGGER sessions_before_renumber BEFORE UPDATE OF next_seq ON sessions
FOR EACH ROW WHEN (NEW.next_seq < OLD.next_seq)
EXECUTE FUNCTION refuse('numbers are never given again');

CREATE TRIGGER state_before_move BEFORE UPDATE OF sid ON state
FOR EACH ROW WHEN (NEW.sid <> OLD.sid)
EXECUTE FUNCTION refuse('state keeps its session');

-- No trigger would see the rows that go, and the counters would stay.
CREATE TRIGGER messages_before_truncate BEFORE TRUNCATE ON messages
FOR EACH STATEMENT EXECUTE FUNCTION refuse('messages are deleted, and never truncated');
