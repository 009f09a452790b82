-- Limits, and what a sweep has to do with a session next.

-- So long before its deadline a session is warned of; NULL: never.
ALTER TABLE sessions ADD COLUMN warn_us INTEGER CHECK (warn_us >= 0);

-- When the next sweep has something to do: to warn of an active session, to expire one that is
-- active or idle. Computed, so it is never out of step. Others do not run out.
ALTER TABLE sessions ADD COLUMN due_us INTEGER GENERATED ALWAYS AS (
    CASE status
        WHEN 'active' THEN deadline_us - coalesce(warn_us, 0)
        WHEN 'idle' THEN deadline_us
    END) VIRTUAL;

DROP INDEX sessions_by_deadline;

CREATE INDEX sessions_by_due ON sessions (due_us) WHERE due_us IS NOT NULL;

-- As before, but a message that was late in its queue does not move the last activity back. What is
-- earlier by more than a minute was written by a clock that was set back, which counts from then on.
DROP TRIGGER messages_after_insert;

CREATE TRIGGER messages_after_insert AFTER INSERT ON messages
BEGIN
    UPDATE sessions SET
        next_seq = NEW.seq + 1,
        message_count = message_count + 1,
        total_tokens = total_tokens + coalesce(NEW.tokens, 0),
        total_duration_us = total_duration_us + coalesce(NEW.duration_us, 0),
        last_activity_us = CASE
            WHEN NEW.appended_at_us BETWEEN last_activity_us - 60000000 AND last_activity_us
            THEN last_activity_us ELSE NEW.appended_at_us END,
        status = 'active'
    WHERE id = NEW.sid;
END;
