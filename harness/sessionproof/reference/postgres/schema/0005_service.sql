-- What upkeep did, how the store grew, which calls were slow: no user's text is in these. No indexes:
-- the tables are short, as whoever writes them removes what is old.

CREATE TABLE maintenance_runs (
    id            bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task          text    NOT NULL,
    started_at_us bigint  NOT NULL,
    ended_at_us   bigint  NOT NULL,
    failed        boolean NOT NULL,
    text          text    NOT NULL
);

CREATE TABLE health_sizes (
    at_us      bigint    PRIMARY KEY,
    file_bytes from_zero NOT NULL,
    sessions   from_zero NOT NULL,
    messages   from_zero NOT NULL
);

CREATE TABLE health_slow (
    id        bigint    GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_us     bigint    NOT NULL,
    operation text      NOT NULL,
    took_us   from_zero NOT NULL
);
