"""How sessionproof drives both stores: a class that takes a location."""

from chatlog.database import Database
from chatlog.files import Files
from sessionproof import Claims, Message, Refused


class DatabaseStore:
    """Database, with what its documents promise."""

    version = "0.3.0"
    claims = Claims(
        roles={"user", "assistant", "system"}, atomic_batches=True, durability="process"
    )

    def __init__(self, location):
        self._database = Database(location.path("chat.db"))

    def append(self, session_id, messages):
        self._database.add(session_id, [(one.role, one.content) for one in messages])

    def read(self, session_id):
        return [Message(role, text) for role, text in self._database.history(session_id)]

    def close(self):
        self._database.close()


class FilesStore:
    """Files, with what its documents promise."""

    version = "0.3.0"
    claims = Claims(
        roles={"user", "assistant", "system"},
        writes="replace",  # a file is written anew with each append
        atomic_batches=True,
        durability="process",
    )

    def __init__(self, location):
        self._files = Files(location)

    def append(self, session_id, messages):
        try:
            self._files.add(session_id, [(one.role, one.content) for one in messages])
        except ValueError as error:
            raise Refused(str(error)) from error

    def read(self, session_id):
        try:
            return [Message(role, text) for role, text in self._files.history(session_id)]
        except ValueError as error:
            raise Refused(str(error)) from error

    def close(self):
        pass
