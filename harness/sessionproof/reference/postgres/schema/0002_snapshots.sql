-- Sessions as they were, each in one row that needs nothing else: no foreign key, so a snapshot
-- outlives its session.

CREATE TABLE snapshots (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    snapshot_id   text   NOT NULL UNIQUE CHECK (length(snapshot_id) <= 64),
    session_id    text   NOT NULL,
    kind          text   NOT NULL
                  CHECK (kind IN ('checkpoint', 'warning', 'expiry', 'archive', 'delete', 'restore')),
    reason        text,
    taken_at_us   bigint NOT NULL,
    message_count bigint NOT NULL CHECK (message_count >= 0),
    -- All that belongs to the session, as compressed JSON; and the CRC-32 of the whole row, to see
    -- damage.
    body          bytea  NOT NULL,
    digest        bytea  NOT NULL
);

CREATE INDEX snapshots_by_session ON snapshots (text_key(session_id), id);

CREATE TRIGGER snapshots_before_change BEFORE UPDATE ON snapshots
FOR EACH ROW EXECUTE FUNCTION refuse('a snapshot stays as it was taken');
