-- The digest of a message: the CRC-32 of its text, which reference/digest.py describes, as four bytes.
--
-- Who changes a message and gives no new digest with it clears it, so a digest that is there and
-- wrong means that the message changed by itself. Rows without one cannot be verified.

CREATE TRIGGER messages_after_rewrite AFTER UPDATE OF
    role, kind, tokens, duration_us, appended_at_us, created_at_us, message_id, name, call_id,
    content, content_json, arguments, metadata
ON messages
WHEN OLD.digest IS NOT NULL AND NEW.digest IS OLD.digest AND (
    NEW.role IS NOT OLD.role OR NEW.kind IS NOT OLD.kind OR NEW.tokens IS NOT OLD.tokens
    OR NEW.duration_us IS NOT OLD.duration_us OR NEW.appended_at_us IS NOT OLD.appended_at_us
    OR NEW.created_at_us IS NOT OLD.created_at_us OR NEW.message_id IS NOT OLD.message_id
    OR NEW.name IS NOT OLD.name OR NEW.call_id IS NOT OLD.call_id
    OR NEW.content IS NOT OLD.content OR NEW.content_json IS NOT OLD.content_json
    OR NEW.arguments IS NOT OLD.arguments OR NEW.metadata IS NOT OLD.metadata)
BEGIN
    UPDATE messages SET digest = NULL WHERE id = NEW.id;
END;

-- The same of what a session says of itself, and of each value of its state. Counters and times of
-- activity are not in it: they change with every message, and are checked against the messages.

ALTER TABLE sessions ADD COLUMN checksum BLOB;

ALTER TABLE state ADD COLUMN checksum BLOB;

CREATE TRIGGER sessions_after_rewrite AFTER UPDATE OF
    session_id, tag, created_at_us, idle_timeout_us, hard_deadline_us, owner, title, llm_model,
    metadata
ON sessions
WHEN OLD.checksum IS NOT NULL AND NEW.checksum IS OLD.checksum AND (
    NEW.session_id IS NOT OLD.session_id OR NEW.tag IS NOT OLD.tag
    OR NEW.created_at_us IS NOT OLD.created_at_us
    OR NEW.idle_timeout_us IS NOT OLD.idle_timeout_us
    OR NEW.hard_deadline_us IS NOT OLD.hard_deadline_us
    OR NEW.owner IS NOT OLD.owner OR NEW.title IS NOT OLD.title
    OR NEW.llm_model IS NOT OLD.llm_model OR NEW.metadata IS NOT OLD.metadata)
BEGIN
    UPDATE sessions SET checksum = NULL WHERE id = NEW.id;
END;

CREATE TRIGGER state_after_rewrite AFTER UPDATE OF key, value ON state
WHEN OLD.checksum IS NOT NULL AND NEW.checksum IS OLD.checksum
    AND (NEW.key IS NOT OLD.key OR NEW.value IS NOT OLD.value)
BEGIN
    UPDATE state SET checksum = NULL WHERE sid = NEW.sid AND key = NEW.key;
END;
