-- Search. The index has the folded words of messages (rowid: the message's id) and of titles (rowid:
-- the session's id, negative); reference/finding/ writes it, and nobody pays for it who appends: a
-- search first looks at what came since.
--
-- Words are blank-separated, letters are folded and symbols are letters of their own by then, so all
-- that the tokenizer does is to split at blanks. Tags say what a message is: s and its sid, r and its
-- role.

CREATE VIRTUAL TABLE search_index USING fts5 (words, tags, tokenize = 'ascii');

-- Messages up to mark are in the index, those in search_again excepted. Words that were folded by
-- another rule are no use: then everything is looked at again.
CREATE TABLE search_mark (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    mark    INTEGER NOT NULL CHECK (mark >= 0),
    folding INTEGER NOT NULL
) STRICT;

INSERT INTO search_mark (one, mark, folding) VALUES (1, 0, 1);

CREATE TABLE search_again (
    id INTEGER PRIMARY KEY
) STRICT;

INSERT INTO search_again (id) SELECT -id FROM sessions WHERE title IS NOT NULL;

-- A message that is put below the mark, by its number; those that SQLite numbers come after it.
CREATE TRIGGER search_before_insert BEFORE INSERT ON messages
WHEN NEW.id > 0
BEGIN
    INSERT INTO search_again (id)
    SELECT NEW.id FROM search_mark
    WHERE NEW.id <= mark AND NOT EXISTS (SELECT 1 FROM search_again WHERE id = NEW.id);
END;

CREATE TRIGGER search_after_update AFTER UPDATE OF role, content, content_json, arguments ON messages
WHEN NEW.id <= (SELECT mark FROM search_mark) AND (
    NEW.role IS NOT OLD.role OR NEW.content IS NOT OLD.content
    OR NEW.content_json IS NOT OLD.content_json OR NEW.arguments IS NOT OLD.arguments)
BEGIN
    DELETE FROM search_index WHERE rowid = NEW.id;
    INSERT INTO search_again (id)
    SELECT NEW.id WHERE NOT EXISTS (SELECT 1 FROM search_again WHERE id = NEW.id);
END;

-- The number of the newest message is given again when it is gone.
CREATE TRIGGER search_after_delete AFTER DELETE ON messages
WHEN OLD.id <= (SELECT mark FROM search_mark)
BEGIN
    DELETE FROM search_index WHERE rowid = OLD.id;
    DELETE FROM search_again WHERE id = OLD.id;
    UPDATE search_mark SET mark = (SELECT coalesce(max(id), 0) FROM messages)
    WHERE mark > (SELECT coalesce(max(id), 0) FROM messages);
END;

-- So is it when those below it went before it, which the mark is still above.
CREATE TRIGGER search_after_delete_newest AFTER DELETE ON messages
WHEN OLD.id > (SELECT mark FROM search_mark)
    AND (SELECT mark FROM search_mark) > (SELECT coalesce(max(id), 0) FROM messages)
BEGIN
    UPDATE search_mark SET mark = (SELECT coalesce(max(id), 0) FROM messages);
END;

CREATE TRIGGER search_after_session AFTER INSERT ON sessions
WHEN NEW.title IS NOT NULL
BEGIN
    INSERT INTO search_again (id)
    SELECT -NEW.id WHERE NOT EXISTS (SELECT 1 FROM search_again WHERE id = -NEW.id);
END;

CREATE TRIGGER search_after_title AFTER UPDATE OF title ON sessions
WHEN NEW.title IS NOT OLD.title
BEGIN
    DELETE FROM search_index WHERE rowid = -NEW.id;
    INSERT INTO search_again (id)
    SELECT -NEW.id WHERE NOT EXISTS (SELECT 1 FROM search_again WHERE id = -NEW.id);
END;

CREATE TRIGGER search_after_session_delete AFTER DELETE ON sessions
WHEN OLD.title IS NOT NULL
BEGIN
    DELETE FROM search_index WHERE rowid = -OLD.id;
    DELETE FROM search_again WHERE id = -OLD.id;
END;
