-- The archive of benchmark runs. What a run says is JSON, byte for byte what its id is made of;
-- the columns beside it are read out of it, for queries, and cannot disagree with it.

CREATE TABLE run (
    id TEXT NOT NULL PRIMARY KEY,  -- digest of all that the run says
    line TEXT NOT NULL,            -- digest of store, profile and machine: what may be compared
    said TEXT NOT NULL CHECK (json_valid(said)),  -- the run without its speeds
    store TEXT AS (json_extract(said, '$.store')) VIRTUAL,
    version TEXT AS (json_extract(said, '$.version')) VIRTUAL,
    commit_id TEXT AS (json_extract(said, '$.commit.id')) VIRTUAL,
    started_at TEXT AS (json_extract(said, '$.started_at')) VIRTUAL,
    ordered_at TEXT AS (coalesce(nullif(json_extract(said, '$.commit.at'), ''),
                                 json_extract(said, '$.started_at'))) VIRTUAL,
    profile TEXT AS (json_extract(said, '$.profile')) VIRTUAL
) STRICT;

CREATE INDEX run_in_line ON run (line, ordered_at, started_at, id);
CREATE INDEX run_in_time ON run (ordered_at, started_at, id);

CREATE TABLE speed (
    run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,        -- its row in the performance table, from 0
    said TEXT NOT NULL CHECK (json_valid(said)),  -- the row without its samples
    samples BLOB NOT NULL,         -- by arm, nanoseconds an operation in each round: JSON, deflated
    operation TEXT AS (json_extract(said, '$.operation')) VIRTUAL,
    clients TEXT AS (json_extract(said, '$.clients')) VIRTUAL,
    ratio REAL AS (json_extract(said, '$.ratio.value')) VIRTUAL,
    ratio_low REAL AS (json_extract(said, '$.ratio.low')) VIRTUAL,
    ratio_high REAL AS (json_extract(said, '$.ratio.high')) VIRTUAL,
    p50_us REAL AS (json_extract(said, '$.latency.p50_us')) VIRTUAL,
    PRIMARY KEY (run, place)
) STRICT;
