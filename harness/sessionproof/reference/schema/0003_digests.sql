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
