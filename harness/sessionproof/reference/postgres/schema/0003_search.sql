-- The words of messages and titles, as reference/finding makes them. Who adds or changes a text lists
-- it; the next search, or upkeep, looks at what is listed and takes it off the list in one
-- transaction. So an append pays for one small row, and what was acknowledged before a search is
-- found. Numbers of messages are positive; a title has the number of its session with a minus.
--
-- ``words`` are all words in their order with a blank between each two, and tags before them. Tags
-- begin with =, which no word does: =s and the session's number, =r and the role; =t of a title.
-- The index is over the words without their places, which a tsvector would keep of the first 255 of
-- each alone; phrases are looked for in the text.

CREATE TABLE search_index (
    number bigint PRIMARY KEY,
    words  text   NOT NULL
);

-- Its cost keeps the planner from making all of them anew instead of looking into the index; and for
-- a search of a millisecond no other process is to be started, so it is not PARALLEL SAFE.
CREATE FUNCTION lexemes(words text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT COST 10000
AS $$ BEGIN
    RETURN pg_catalog.array_to_tsvector(pg_catalog.string_to_array(words, ' '));
END $$;

CREATE INDEX search_index_by_word ON search_index USING gin (lexemes(words));

-- By which rule texts are folded: what another one has folded is looked at again.
CREATE TABLE search_rule (
    one     integer PRIMARY KEY CHECK (one = 1),
    folding integer NOT NULL
);

INSERT INTO search_rule VALUES (1, 1);
-- New messages are listed as they are counted.
INSERT INTO search_again SELECT -id FROM sessions WHERE title IS NOT NULL;

-- The words that were there are found no more, also by who looks before the new ones are there.
CREATE FUNCTION list_message() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    DELETE FROM search_index WHERE number = NEW.id;
    INSERT INTO search_again VALUES (NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER messages_after_update_words
AFTER UPDATE OF role, content, content_json, arguments ON messages
FOR EACH ROW EXECUTE FUNCTION list_message();

-- Listed as well: who looks at a message while it goes may add it to the index after this.
CREATE FUNCTION unlist_messages() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    DELETE FROM search_index AS i USING gone WHERE i.number = gone.id;
    INSERT INTO search_again SELECT id FROM gone;
    RETURN NULL;
END $$;

CREATE TRIGGER messages_after_delete_words AFTER DELETE ON messages
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION unlist_messages();

CREATE FUNCTION list_title() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    title bigint := CASE TG_OP WHEN 'DELETE' THEN -OLD.id ELSE -NEW.id END;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM search_index WHERE number = title;
    END IF;
    INSERT INTO search_again VALUES (title);
    RETURN NULL;
END $$;

CREATE TRIGGER sessions_after_insert_words AFTER INSERT ON sessions
FOR EACH ROW WHEN (NEW.title IS NOT NULL) EXECUTE FUNCTION list_title();

CREATE TRIGGER sessions_after_update_words AFTER UPDATE OF title ON sessions
FOR EACH ROW WHEN (NEW.title IS DISTINCT FROM OLD.title) EXECUTE FUNCTION list_title();

CREATE TRIGGER sessions_after_delete_words AFTER DELETE ON sessions
FOR EACH ROW WHEN (OLD.title IS NOT NULL) EXECUTE FUNCTION list_title();
