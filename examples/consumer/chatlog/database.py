"""Sessions in one SQLite file: what the product uses."""

import sqlite3
from contextlib import closing

SCHEMA = """
    CREATE TABLE IF NOT EXISTS messages
        (number INTEGER PRIMARY KEY, session TEXT, role TEXT, text TEXT);
    CREATE INDEX IF NOT EXISTS by_session ON messages (session);
"""


class Database:
    """One connection to the file of all sessions."""

    def __init__(self, path):
        if not path.exists():  # what is there is never taken for new, not even an empty file
            beside = path.with_suffix(".new")
            with closing(sqlite3.connect(beside)) as new:
                new.executescript(SCHEMA)
            beside.replace(path)
        self._db = sqlite3.connect(path, timeout=20)

    def add(self, session, turns):
        """Store pairs of role and text, all or none."""
        with self._db:
            self._db.executemany(
                "INSERT INTO messages (session, role, text) VALUES (?, ?, ?)",
                [(session, role, text) for role, text in turns],
            )

    def history(self, session):
        """All pairs of role and text, the oldest first."""
        query = "SELECT role, text FROM messages WHERE session = ? ORDER BY number"
        return self._db.execute(query, [session]).fetchall()

    def close(self):
        """Give the file back."""
        self._db.close()
