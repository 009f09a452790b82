"""A file of JSON for each session: the product's older way, which some customers still have.

The name of the file is made of the session's id, with an underscore for whatever a file's name may
not hold. Two ids can so become one file, and two customers read each other's chat. The product
knows it: baseline.toml.
"""

import json
import re
from pathlib import Path


class Files:
    """The sessions below a folder."""

    def __init__(self, folder):
        self._folder = Path(folder)

    def _path(self, session):
        if not session or len(session) > 100:
            raise ValueError("a session's id has 1 to 100 characters")
        return self._folder / (re.sub(r"[^A-Za-z0-9-]", "_", session) + ".json")

    def add(self, session, turns):
        """Store pairs of role and text, all or none."""
        path = self._path(session)
        kept = [*self.history(session), *turns]
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(kept), "utf-8")
        draft.replace(path)

    def history(self, session):
        """All pairs of role and text, the oldest first."""
        path = self._path(session)
        return json.loads(path.read_text("utf-8")) if path.exists() else []
