"""Stores for trials of damage: correct ones that could be taken for wrong, and one that is odd."""

import hashlib
import json
import logging
import sqlite3
from contextlib import closing, suppress

from fixtures.benign.crash_safe_files import put_in_place
from fixtures.benign.damage_safe import CLAIMS, CheckedDocuments, CheckedRows
from fixtures.benign.files import JsonFiles
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message
from sessionproof.contract.store import SqliteTables
from sessionproof.contract.upkeep import Repaired, Verified


class Mirrored(CheckedDocuments):
    """Each document twice; one that is damaged is made anew from the other."""

    def _path_beside(self, path):
        return path.with_suffix(".mirror")

    def _document(self, path):
        try:
            return super()._document(path)
        except Refused:
            put_in_place(path, self._path_beside(path).read_bytes())
            return super()._document(path)

    def _write(self, session_id, messages):
        super()._write(session_id, messages)
        path = self._path(session_id)
        put_in_place(self._path_beside(path), path.read_bytes())


class Repairs(CheckedRows):
    """A bad row makes the session unreadable until it was put aside by a repair."""

    def _value(self, line):
        return json.loads(line.partition(b" ")[2].decode())

    def verify(self, session_id=None):
        """All rows can be read."""
        with suppress(ValueError):
            return super().verify(session_id)
        return Verified(("a row cannot be read",))

    @staticmethod
    def repair(directory, *, dry_run=True):
        """Take out what is no text."""
        with closing(sqlite3.connect(f"{directory}/chat.db")) as db:
            rows = db.execute("SELECT id, CAST(line AS BLOB) FROM messages").fetchall()
            bad = [(number,) for number, line in rows if b"{" not in line and b"[" not in line]
            db.executemany("DELETE FROM messages WHERE id = ?", bad)
            db.commit()
        return Repaired(changes=tuple(f"row {number}" for (number,) in bad))


class FindsDamageEverywhere(JsonFiles):
    """Its check complains about sound files."""

    def verify(self, session_id=None):
        """Something is always wrong."""
        return Verified(("the moon is full",))


class Packed(CheckedRows):
    """No text of a message can be found in the file."""

    claims = Claims(**{**vars(CLAIMS), "durability": "process"})

    def append(self, session_id, messages):
        """Each byte is another one."""
        super().append(session_id, messages)
        self.db.execute(
            "UPDATE messages SET line = CAST(hex(line) AS BLOB) WHERE instr(line, X'20')"
        )

    def _value(self, line):
        try:
            return super()._value(bytes.fromhex(line.decode()))
        except ValueError:
            return None


class Letters:
    """A file for each message, in a folder for each session; a bad one is left out, and told."""

    claims = Claims(durability="process")

    def __init__(self, location):
        self.location = location

    def close(self):
        """Nothing is open between calls."""

    def _folder(self, session_id):
        digest = hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()
        return self.location.path(digest)

    def append(self, session_id, messages):
        """One file after the other."""
        folder = self._folder(session_id)
        folder.mkdir(exist_ok=True)
        for number, one in enumerate(messages, len(list(folder.iterdir()))):
            text = json.dumps({"role": one.role, "content": one.content})
            put_in_place(folder / f"{number:09}.json", text.encode())

    def read(self, session_id):
        """All messages that are whole."""
        found = [self._message(path) for path in sorted(self._folder(session_id).glob("*.json"))]
        return [one for one in found if one is not None]

    def _message(self, path):
        try:
            return Message(**json.loads(path.read_bytes()))
        except ValueError:
            logging.getLogger(__name__).warning("%s is damaged", path.name)
            return None


class LettersOrNothing(Letters):
    """A bad file is an error of all that are read with it."""

    def _message(self, path):
        return Message(**json.loads(path.read_bytes()))


class KeepsACopyOfEachText:
    """Each row has its text twice: for a person who looks into the file, and for the reads."""

    claims = Claims(durability="process")

    def __init__(self, location):
        self.path = location.path("chat.db")
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS messages (preview, session, role, content, at INTEGER"
            " PRIMARY KEY)"
        )

    def close(self):
        """Close the connection."""
        self.db.close()

    def append(self, session_id, messages):
        """Add rows, in one transaction."""
        rows = [(one.content, session_id, one.role, one.content) for one in messages]
        with self.db:
            self.db.execute("BEGIN")
            self.db.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, NULL)", rows)

    def read(self, session_id):
        """The texts that are meant for it."""
        query = "SELECT role, content FROM messages WHERE session = ? ORDER BY at"
        return [Message(*row) for row in self.db.execute(query, [session_id])]

    def tables(self):
        """The one table."""
        return SqliteTables(str(self.path), "messages", "session")
