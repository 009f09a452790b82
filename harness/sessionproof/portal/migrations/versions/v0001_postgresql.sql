-- Counters and guards on PostgreSQL. What refuses has a code of its own: SP001 for a number that is
-- not to be had (nothing was stored), SP002 for what is never right. The functions name their
-- schema, so they hold whatever the writer's path is.

CREATE FUNCTION portal_now_us() RETURNS bigint LANGUAGE sql VOLATILE
AS $$ SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint $$;

-- All messages of a statement at once: else each of a batch would leave a version of its
-- conversation behind. Whoever was faster has moved the number.
CREATE FUNCTION count_messages() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    wanted bigint;
    counted bigint;
BEGIN
    WITH a AS MATERIALIZED (
        SELECT conversation_id, min(seq) AS first, max(seq) AS last, count(*) AS messages,
               coalesce(sum(tokens), 0) AS tokens, max(created_at_us) AS at_us,
               (array_agg(created_at_us ORDER BY seq DESC))[1] AS last_at_us
        FROM added GROUP BY conversation_id
    ), b AS (
        UPDATE conversations AS c SET
            next_seq = a.last + 1,
            message_count = c.message_count + a.messages,
            total_tokens = c.total_tokens + a.tokens,
            updated_at_us = greatest(c.updated_at_us + a.messages, a.at_us),
            last_message_at_us = a.last_at_us
        FROM a
        WHERE c.id = a.conversation_id AND c.next_seq <= a.first AND c.status = 'active'
        RETURNING c.id
    )
    SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b) INTO wanted, counted;
    IF counted <> wanted THEN
        RAISE EXCEPTION 'not the next number of a conversation that takes messages'
            USING ERRCODE = 'SP001';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER messages_after_insert AFTER INSERT ON messages
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION count_messages();

-- When the conversation itself goes, there is nothing left to count. The lock is a statement of its
-- own: the next one sees the messages of those who had it before, and so which is the last.
CREATE FUNCTION uncount_messages() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM 1 FROM conversations WHERE id IN (SELECT conversation_id FROM gone)
    ORDER BY id FOR UPDATE;
    UPDATE conversations AS c SET
        message_count = c.message_count - g.messages,
        total_tokens = c.total_tokens - g.tokens,
        updated_at_us = greatest(c.updated_at_us + 1, portal_now_us()),
        last_message_at_us = (
            SELECT m.created_at_us FROM messages AS m
            WHERE m.conversation_id = c.id ORDER BY m.seq DESC LIMIT 1)
    FROM (
        SELECT conversation_id, count(*) AS messages, coalesce(sum(tokens), 0) AS tokens
        FROM gone GROUP BY conversation_id
    ) AS g
    WHERE c.id = g.conversation_id;
    RETURN NULL;
END $$;

CREATE TRIGGER messages_after_delete AFTER DELETE ON messages
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION uncount_messages();

CREATE FUNCTION recount_message() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM 1 FROM conversations WHERE id = NEW.conversation_id FOR UPDATE;
    UPDATE conversations AS c SET
        total_tokens = c.total_tokens - coalesce(OLD.tokens, 0) + coalesce(NEW.tokens, 0),
        updated_at_us = greatest(c.updated_at_us + 1, portal_now_us()),
        last_message_at_us = (
            SELECT m.created_at_us FROM messages AS m
            WHERE m.conversation_id = c.id ORDER BY m.seq DESC LIMIT 1)
    WHERE c.id = NEW.conversation_id;
    RETURN NULL;
END $$;

CREATE TRIGGER messages_after_update
AFTER UPDATE OF role, content, tokens, created_at_us, metadata ON messages
FOR EACH ROW EXECUTE FUNCTION recount_message();

-- Whoever changes a conversation and says no time gets this one. The portal always says one.
CREATE FUNCTION tell_time() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    NEW.updated_at_us := greatest(OLD.updated_at_us + 1, portal_now_us());
    RETURN NEW;
END $$;

CREATE TRIGGER conversations_before_update
BEFORE UPDATE OF user_id, status, hidden_at_us, title, model, metadata ON conversations
FOR EACH ROW WHEN (NEW.updated_at_us = OLD.updated_at_us) EXECUTE FUNCTION tell_time();

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'SP002'; END $$;

CREATE TRIGGER users_before_move BEFORE UPDATE OF id ON users
FOR EACH ROW WHEN (NEW.id <> OLD.id) EXECUTE FUNCTION refuse('a user keeps the id');

CREATE TRIGGER auth_sessions_before_move BEFORE UPDATE OF id, token_digest ON auth_sessions
FOR EACH ROW WHEN (NEW.id <> OLD.id OR NEW.token_digest <> OLD.token_digest)
EXECUTE FUNCTION refuse('an auth session keeps its id and its token');

CREATE TRIGGER conversations_before_insert BEFORE INSERT ON conversations
FOR EACH ROW
WHEN (NEW.message_count <> 0 OR NEW.total_tokens <> 0 OR NEW.last_message_at_us IS NOT NULL)
EXECUTE FUNCTION refuse('a new conversation counts nothing');

CREATE TRIGGER conversations_before_move BEFORE UPDATE OF id ON conversations
FOR EACH ROW WHEN (NEW.id <> OLD.id) EXECUTE FUNCTION refuse('a conversation keeps its id');

CREATE TRIGGER conversations_before_renumber BEFORE UPDATE OF next_seq ON conversations
FOR EACH ROW WHEN (NEW.next_seq < OLD.next_seq)
EXECUTE FUNCTION refuse('numbers are never given again');

CREATE TRIGGER messages_before_move BEFORE UPDATE OF conversation_id, seq ON messages
FOR EACH ROW
WHEN (NEW.conversation_id <> OLD.conversation_id OR NEW.seq <> OLD.seq)
EXECUTE FUNCTION refuse('a message keeps its conversation and its number');

-- No trigger would see the rows that go, and the counters would stay.
CREATE TRIGGER messages_before_truncate BEFORE TRUNCATE ON messages
FOR EACH STATEMENT EXECUTE FUNCTION refuse('messages are deleted, and never truncated');
