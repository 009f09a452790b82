"""A PostgreSQL server that asks its guests for passwords, for tests of commands."""

from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from sessionproof.engine.machine import fast_folder
from sessionproof.faults.servers.postgres import PrivateServer

PASSWORD = "hunter2/%@:x"
QUOTED = "hunter2%2F%25%40%3Ax"
MARK = "hunter2"

_SPOILING = """
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.content := upper(NEW.content); RETURN NEW; END $$;
CREATE FUNCTION spoil() RETURNS event_trigger LANGUAGE plpgsql AS $$
    DECLARE made record;
    BEGIN
        FOR made IN SELECT * FROM pg_event_trigger_ddl_commands()
            WHERE command_tag = 'CREATE TABLE' AND object_identity LIKE '%.messages'
        LOOP
            EXECUTE format('CREATE TRIGGER a_shout BEFORE INSERT ON %s '
                           'FOR EACH ROW EXECUTE FUNCTION public.shout()', made.object_identity);
        END LOOP;
    END $$;
CREATE EVENT TRIGGER spoiling ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
    EXECUTE FUNCTION spoil();
"""


@dataclass(frozen=True)
class Guarded:
    """The server, and addresses of its database ``chats``; in ``spoilt`` texts change."""

    server: PrivateServer

    def url(self, database="chats", *, user="guest", password=QUOTED):
        """An address as a user writes it."""
        given = f":{password}" if password else ""
        return f"postgresql://{user}{given}@/{database}?host={self.server.folder}"

    def schemas(self, database="chats"):
        """The names of the stores' schemas."""
        with psycopg.connect(self._of(database), autocommit=True) as connection:
            rows = connection.execute(
                "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'sp_')"
            ).fetchall()
        return {row[0] for row in rows}

    def execute(self, statements, database="postgres"):
        """Carry statements out with every right."""
        with psycopg.connect(self._of(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def _of(self, database):
        return self.server.url.replace("/postgres?", f"/{database}?")


@contextmanager
def guarded_server():
    """A server whose users guest and other have passwords of their own."""
    with PrivateServer.start(fast_folder()) as server:
        guarded = Guarded(server)
        quoted = PASSWORD.replace("'", "''")
        guarded.execute(
            [
                f"CREATE ROLE guest LOGIN PASSWORD '{quoted}'",
                f"CREATE ROLE other LOGIN PASSWORD '{MARK}-other'",
                "CREATE DATABASE chats OWNER guest",
                "CREATE DATABASE others OWNER other",
                "CREATE DATABASE spoilt OWNER guest",
            ]
        )
        guarded.execute([_SPOILING], "spoilt")
        rules = "local all sessionproof trust\nlocal all all scram-sha-256\n"
        (server.data / "pg_hba.conf").write_text(rules, "utf-8")
        guarded.execute(["SELECT pg_reload_conf()"])
        yield guarded
