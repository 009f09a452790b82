"""A store whose one mistake is seen wherever a message is read."""

from dataclasses import replace

from fixtures.benign.sqlite import SqliteStore


class EmptyMetadata(SqliteStore):
    """Answers an empty object where no metadata was sent."""

    def read(self, session_id):
        """Each message with ``metadata or {}``."""
        return [replace(one, metadata=one.metadata or {}) for one in super().read(session_id)]
