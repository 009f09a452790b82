-- How sessions are spread over several servers, each with this whole schema; a store on one server
-- has no row here. A session's home is the server of the highest score; a score is the SHA-256 of
-- the server's name and the session's key, so another server takes over its share and no more.
--
-- While the layout changes, a session goes from its home of before to its home of now in steps that
-- each may be the last: its rows are copied into the tables arriving_… there; they leave here, which
-- departures notes; there they become rows like others, which arrivals notes. A session has rows in
-- ``sessions`` on one server at most, at any time.

CREATE TABLE layout (
    one       integer PRIMARY KEY CHECK (one = 1),
    -- Rises with every change, and is the same on all servers but while a change is written down.
    epoch     bigint  NOT NULL CHECK (epoch >= 1),
    -- Random, the same on all servers of a store.
    store     text    NOT NULL,
    -- The name of this very server.
    own       text    NOT NULL,
    -- JSON: the address of each server by its name, without passwords; the names of those that
    -- sessions are spread over; and of those before the change that is under way (NULL: none is).
    addresses json_text NOT NULL,
    servers   json_text NOT NULL,
    before    json_text
);

-- What is on its way here, by the session's key. Of those who move the same session only the last
-- who announced itself copies; what is settled has nothing left where it was.
CREATE TABLE arrivals (
    key        bytea   PRIMARY KEY,
    session_id text    NOT NULL,
    announced  text    NOT NULL,
    staged     text,
    settled    boolean NOT NULL DEFAULT false
);

CREATE INDEX arrivals_by_staged ON arrivals (key) WHERE staged IS NOT NULL;

-- What has left, and under which announcement.
CREATE TABLE departures (
    key        bytea PRIMARY KEY,
    session_id text  NOT NULL,
    announced  text  NOT NULL
);

CREATE TABLE arriving_sessions (LIKE sessions, session_key bytea PRIMARY KEY, llm_model text);
ALTER TABLE arriving_sessions DROP COLUMN id, DROP COLUMN llm_model_id;

CREATE TABLE arriving_messages (LIKE messages, session_key bytea NOT NULL);
ALTER TABLE arriving_messages DROP COLUMN id, DROP COLUMN sid;
CREATE UNIQUE INDEX arriving_messages_by_seq ON arriving_messages (session_key, seq);

CREATE TABLE arriving_state (LIKE state, session_key bytea NOT NULL);
ALTER TABLE arriving_state DROP COLUMN sid;
CREATE INDEX arriving_state_by_key ON arriving_state (session_key);

CREATE TABLE arriving_snapshots (LIKE snapshots, session_key bytea NOT NULL, place bigint NOT NULL);
ALTER TABLE arriving_snapshots DROP COLUMN id;
CREATE INDEX arriving_snapshots_by_key ON arriving_snapshots (session_key, place);

-- The name of the server that a session belongs to, of those in a JSON list.
CREATE FUNCTION home_of(key bytea, servers text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT name FROM pg_catalog.json_array_elements_text(servers::pg_catalog.json) AS one (name)
    ORDER BY pg_catalog.sha256(pg_catalog.convert_to(name, 'UTF8') || key) DESC LIMIT 1
$$;

-- Nothing is made here that belongs elsewhere, whoever writes it and whatever layout he knows of. To
-- write a new layout down waits for those who are at it, and they for it.
CREATE FUNCTION check_home(key bytea) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    its layout%ROWTYPE;
BEGIN
    PERFORM pg_advisory_xact_lock_shared('layout'::regclass::oid::bigint);
    SELECT * INTO its FROM layout;
    IF FOUND AND (
        home_of(key, its.servers) <> its.own
        OR home_of(key, its.before) <> its.own AND NOT EXISTS (
            SELECT FROM arrivals WHERE arrivals.key = check_home.key AND settled))
    THEN
        RAISE EXCEPTION 'the session belongs to another server of this store'
            USING ERRCODE = 'SP003';
    END IF;
END $$;

CREATE FUNCTION check_session_home() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$ BEGIN PERFORM check_home(text_key(NEW.session_id)); RETURN NEW; END $$;

CREATE TRIGGER sessions_before_insert_home BEFORE INSERT ON sessions
FOR EACH ROW EXECUTE FUNCTION check_session_home();

-- A session that has not been moved yet has its snapshots where it is. To lock it waits for those
-- who move it.
CREATE FUNCTION check_snapshot_home() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM FROM sessions WHERE text_key(session_id) = text_key(NEW.session_id) FOR KEY SHARE;
    IF NOT FOUND THEN
        PERFORM check_home(text_key(NEW.session_id));
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER snapshots_before_insert_home BEFORE INSERT ON snapshots
FOR EACH ROW EXECUTE FUNCTION check_snapshot_home();
