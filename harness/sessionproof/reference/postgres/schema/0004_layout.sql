-- How sessions are spread over several servers, each with this whole schema; a store on one server
-- has no row here. ``servers`` and ``before`` are JSON: names and addresses without passwords, now and
-- before the change that is under way (NULL: none is). ``epoch`` rises with every change.

CREATE TABLE layout (
    one     integer PRIMARY KEY CHECK (one = 1),
    epoch   bigint  NOT NULL CHECK (epoch >= 1),
    own     text    NOT NULL,
    servers json_text NOT NULL,
    before  json_text
);
