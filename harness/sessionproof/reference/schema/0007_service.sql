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
