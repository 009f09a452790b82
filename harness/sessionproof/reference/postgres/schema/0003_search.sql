-- The words of messages and titles, as reference/finding makes them. An append lists its message; the
-- next search, or upkeep, looks at what is listed and takes it off the list in one transaction, so an
-- append pays for one small row, and what was acknowledged before a search is found.
--
-- Numbers of messages are positive; a title has the number of its session with a minus.

CREATE TABLE search_index (
    number bigint   PRIMARY KEY,
    words  tsvector NOT NULL
);

CREATE INDEX search_index_by_word ON search_index USING gin (words);

CREATE TABLE search_again (number bigint NOT NULL);

-- By which rule texts are folded: what an older one has folded is looked at again.
CREATE TABLE search_rule (
    one     integer PRIMARY KEY CHECK (one = 1),
    folding integer NOT NULL
);

CREATE FUNCTION list_message() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$ BEGIN INSERT INTO search_again VALUES (NEW.id); RETURN NULL; END $$;

CREATE TRIGGER messages_after_insert_words AFTER INSERT ON messages
FOR EACH ROW EXECUTE FUNCTION list_message();

CREATE TRIGGER messages_after_update_words AFTER UPDATE OF content, content_json, arguments ON messages
FOR EACH ROW EXECUTE FUNCTION list_message();

CREATE FUNCTION unlist_messages() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$ BEGIN DELETE FROM search_index USING gone WHERE number = gone.id; RETURN NULL; END $$;

CREATE TRIGGER messages_after_delete_words AFTER DELETE ON messages
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION unlist_messages();

CREATE FUNCTION list_title() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM search_index WHERE number = -OLD.id;
    ELSE
        INSERT INTO search_again VALUES (-NEW.id);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER sessions_after_insert_words AFTER INSERT ON sessions
FOR EACH ROW WHEN (NEW.title IS NOT NULL) EXECUTE FUNCTION list_title();

CREATE TRIGGER sessions_after_update_words AFTER UPDATE OF title ON sessions
FOR EACH ROW WHEN (NEW.title IS DISTINCT FROM OLD.title) EXECUTE FUNCTION list_title();

CREATE TRIGGER sessions_after_delete_words AFTER DELETE ON sessions
FOR EACH ROW WHEN (OLD.title IS NOT NULL) EXECUTE FUNCTION list_title();
