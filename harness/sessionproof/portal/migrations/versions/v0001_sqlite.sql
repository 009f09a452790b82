-- Guards and counters on SQLite. They hold for every writer, also for one that never heard of this
-- package and has foreign_keys off. INSERT OR REPLACE would remove rows behind their back, so what
-- exists is never inserted again.

CREATE TRIGGER users_before_insert BEFORE INSERT ON users
BEGIN
    SELECT RAISE(ABORT, 'user exists') WHERE EXISTS (SELECT 1 FROM users WHERE id = NEW.id);
    SELECT RAISE(ABORT, 'e-mail is taken')
    WHERE EXISTS (SELECT 1 FROM users WHERE email = NEW.email);
END;

CREATE TRIGGER users_before_rename BEFORE UPDATE OF email ON users
WHEN NEW.email <> OLD.email
BEGIN
    SELECT RAISE(ABORT, 'e-mail is taken')
    WHERE EXISTS (SELECT 1 FROM users WHERE email = NEW.email);
END;

CREATE TRIGGER users_before_move BEFORE UPDATE OF id ON users
WHEN NEW.id IS NOT OLD.id
BEGIN
    SELECT RAISE(ABORT, 'a user keeps the id');
END;

CREATE TRIGGER users_before_delete BEFORE DELETE ON users
BEGIN
    DELETE FROM auth_sessions WHERE user_id = OLD.id;
    DELETE FROM conversations WHERE user_id = OLD.id;
END;

CREATE TRIGGER auth_sessions_before_insert BEFORE INSERT ON auth_sessions
BEGIN
    SELECT RAISE(ABORT, 'an auth session needs its user')
    WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id);
    SELECT RAISE(ABORT, 'auth session exists')
    WHERE EXISTS (SELECT 1 FROM auth_sessions WHERE id = NEW.id)
       OR EXISTS (SELECT 1 FROM auth_sessions WHERE token_digest = NEW.token_digest);
END;

CREATE TRIGGER auth_sessions_before_move BEFORE UPDATE OF id, user_id, token_digest ON auth_sessions
BEGIN
    SELECT RAISE(ABORT, 'an auth session keeps its id and its token')
    WHERE NEW.id IS NOT OLD.id OR NEW.token_digest IS NOT OLD.token_digest;
    SELECT RAISE(ABORT, 'an auth session needs its user')
    WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id);
END;

CREATE TRIGGER conversations_before_insert BEFORE INSERT ON conversations
BEGIN
    SELECT RAISE(ABORT, 'a conversation needs its user')
    WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id);
    SELECT RAISE(ABORT, 'conversation exists')
    WHERE EXISTS (SELECT 1 FROM conversations WHERE id = NEW.id);
    SELECT RAISE(ABORT, 'a new conversation counts nothing')
    WHERE NEW.message_count <> 0 OR NEW.total_tokens <> 0 OR NEW.last_message_at_us IS NOT NULL;
END;

CREATE TRIGGER conversations_before_move BEFORE UPDATE OF id, user_id ON conversations
BEGIN
    SELECT RAISE(ABORT, 'a conversation keeps its id') WHERE NEW.id IS NOT OLD.id;
    SELECT RAISE(ABORT, 'a conversation needs its user')
    WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id);
END;

CREATE TRIGGER conversations_before_renumber BEFORE UPDATE OF next_seq ON conversations
WHEN NEW.next_seq < OLD.next_seq
BEGIN
    SELECT RAISE(ABORT, 'numbers are never given again');
END;

-- Whoever changes a conversation and says no time gets this one. The portal always says one.
CREATE TRIGGER conversations_after_update
AFTER UPDATE OF user_id, status, hidden_at_us, title, model, metadata ON conversations
WHEN NEW.updated_at_us = OLD.updated_at_us
BEGIN
    UPDATE conversations SET updated_at_us = max(
        OLD.updated_at_us + 1,
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
    WHERE id = NEW.id;
END;

CREATE TRIGGER conversations_before_delete BEFORE DELETE ON conversations
BEGIN
    DELETE FROM messages WHERE conversation_id = OLD.id;
END;

CREATE TRIGGER messages_before_insert BEFORE INSERT ON messages
WHEN (SELECT NEW.seq >= next_seq AND status = 'active'
      FROM conversations WHERE id = NEW.conversation_id) IS NOT 1
BEGIN
    SELECT RAISE(ABORT, 'a message needs its conversation')
    WHERE NOT EXISTS (SELECT 1 FROM conversations WHERE id = NEW.conversation_id);
    SELECT RAISE(ABORT, 'the conversation is archived')
    WHERE EXISTS (
        SELECT 1 FROM conversations WHERE id = NEW.conversation_id AND status <> 'active');
    SELECT RAISE(ABORT, 'numbers are never given again');
END;

CREATE TRIGGER messages_before_move BEFORE UPDATE OF conversation_id, seq ON messages
WHEN NEW.conversation_id IS NOT OLD.conversation_id OR NEW.seq IS NOT OLD.seq
BEGIN
    SELECT RAISE(ABORT, 'a message keeps its conversation and its number');
END;

CREATE TRIGGER messages_after_insert AFTER INSERT ON messages
BEGIN
    UPDATE conversations SET
        next_seq = NEW.seq + 1,
        message_count = message_count + 1,
        total_tokens = total_tokens + coalesce(NEW.tokens, 0),
        updated_at_us = max(updated_at_us + 1, NEW.created_at_us),
        last_message_at_us = NEW.created_at_us
    WHERE id = NEW.conversation_id;
END;

CREATE TRIGGER messages_after_delete AFTER DELETE ON messages
BEGIN
    UPDATE conversations SET
        message_count = message_count - 1,
        total_tokens = total_tokens - coalesce(OLD.tokens, 0),
        updated_at_us = max(
            updated_at_us + 1,
            CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
        last_message_at_us = (
            SELECT created_at_us FROM messages
            WHERE conversation_id = OLD.conversation_id ORDER BY seq DESC LIMIT 1)
    WHERE id = OLD.conversation_id;
END;

CREATE TRIGGER messages_after_update
AFTER UPDATE OF role, content, tokens, created_at_us, metadata ON messages
BEGIN
    UPDATE conversations SET
        total_tokens = total_tokens - coalesce(OLD.tokens, 0) + coalesce(NEW.tokens, 0),
        updated_at_us = max(
            updated_at_us + 1,
            CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
        last_message_at_us = (
            SELECT created_at_us FROM messages
            WHERE conversation_id = NEW.conversation_id ORDER BY seq DESC LIMIT 1)
    WHERE id = NEW.conversation_id;
END;
