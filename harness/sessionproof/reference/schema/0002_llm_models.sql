-- The models that sessions may name, by their names. To name a model makes it known, so a session
-- never names one that is not; one that a session names cannot be removed.
--
-- Triggers hold this, and no foreign key: one cannot be added to a table that is there, and a
-- connection that has foreign_keys off would not heed it.

CREATE TABLE llm_models (
    name ANY NOT NULL PRIMARY KEY CHECK (typeof(name) IN ('text', 'blob'))
) STRICT, WITHOUT ROWID;

INSERT INTO llm_models (name) SELECT DISTINCT llm_model FROM sessions WHERE llm_model IS NOT NULL;

CREATE INDEX sessions_by_llm_model ON sessions (llm_model) WHERE llm_model IS NOT NULL;

CREATE TRIGGER sessions_after_insert_model AFTER INSERT ON sessions
WHEN NEW.llm_model IS NOT NULL
BEGIN
    INSERT INTO llm_models (name)
    SELECT NEW.llm_model WHERE NOT EXISTS (SELECT 1 FROM llm_models WHERE name = NEW.llm_model);
END;

CREATE TRIGGER sessions_after_update_model AFTER UPDATE OF llm_model ON sessions
WHEN NEW.llm_model IS NOT NULL
BEGIN
    INSERT INTO llm_models (name)
    SELECT NEW.llm_model WHERE NOT EXISTS (SELECT 1 FROM llm_models WHERE name = NEW.llm_model);
END;

CREATE TRIGGER llm_models_before_delete BEFORE DELETE ON llm_models
WHEN EXISTS (SELECT 1 FROM sessions WHERE llm_model = OLD.name)
BEGIN
    SELECT RAISE(ABORT, 'sessions name this model');
END;

CREATE TRIGGER llm_models_before_rename BEFORE UPDATE ON llm_models
BEGIN
    SELECT RAISE(ABORT, 'a model keeps its name');
END;
