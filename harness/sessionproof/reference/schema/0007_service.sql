-- Views, listings, health, maintenance.

-- What upkeep did, and how the store grew: no user's text is in these. No indexes: the tables are
-- short, as whoever writes them removes what is old.

CREATE TABLE maintenance_runs (
    id            INTEGER PRIMARY KEY,
    task          TEXT    NOT NULL,
    started_at_us INTEGER NOT NULL,
    ended_at_us   INTEGER NOT NULL,
    failed        INTEGER NOT NULL CHECK (failed IN (0, 1)),
    text          TEXT    NOT NULL
) STRICT;

CREATE TABLE health_sizes (
    at_us      INTEGER PRIMARY KEY,
    file_bytes INTEGER NOT NULL CHECK (file_bytes >= 0),
    log_bytes  INTEGER NOT NULL CHECK (log_bytes >= 0),
    sessions   INTEGER NOT NULL CHECK (sessions >= 0),
    messages   INTEGER NOT NULL CHECK (messages >= 0)
) STRICT;

CREATE TABLE health_slow (
    id        INTEGER PRIMARY KEY,
    at_us     INTEGER NOT NULL,
    operation TEXT    NOT NULL,
    took_us   INTEGER NOT NULL CHECK (took_us >= 0)
) STRICT;

-- Views for people and their tools; the store itself does not use them. Times are in microseconds
-- since 1970-01-01 UTC, and as text in UTC. What has run out by the machine's clock is expired,
-- whenever the next sweep comes.

-- Every session with its status, also those that are paused, archived or expired.
CREATE VIEW recent_sessions AS
SELECT session_id, title, owner, llm_model,
       CASE WHEN status IN ('active', 'idle')
                 AND deadline_us <= (julianday('now') - 2440587.5) * 86400000000
            THEN 'expired' ELSE status END AS status,
       message_count, total_tokens, created_at_us, last_activity_us,
       datetime(last_activity_us / 1000000, 'unixepoch') AS last_activity
FROM sessions
ORDER BY last_activity_us DESC, id DESC;

-- Sums of the counters, by model and status; no message is read.
CREATE VIEW session_statistics AS
SELECT llm_model,
       CASE WHEN status IN ('active', 'idle')
                 AND deadline_us <= (julianday('now') - 2440587.5) * 86400000000
            THEN 'expired' ELSE status END AS status,
       count(*) AS sessions, sum(message_count) AS messages, sum(total_tokens) AS tokens,
       sum(total_duration_us) AS duration_us, max(last_activity_us) AS last_activity_us
FROM sessions
GROUP BY 1, 2;

-- What a sweep would expire now; a session that is in time is not among them.
CREATE VIEW sessions_at_timeout AS
SELECT session_id, status, deadline_us,
       datetime(deadline_us / 1000000, 'unixepoch') AS deadline,
       CASE WHEN hard_deadline_us = deadline_us THEN 'hard' ELSE 'idle' END AS run_out
FROM sessions
WHERE due_us <= CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
  AND deadline_us <= CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
ORDER BY deadline_us, id;
