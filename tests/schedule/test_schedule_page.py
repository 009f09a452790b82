"""What ``docs/schedules.md`` shows by hand is what a script of a finding does."""

import re
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text("utf-8")
CODE = "".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
STORE = '''
import sqlite3
from sessionproof import Message

class Store:
    """Takes the next number in one statement, and uses it in another."""

    def __init__(self, location):
        self.db = sqlite3.connect(location.path("chat.db"), timeout=20, isolation_level=None)
        self.db.execute("CREATE TABLE IF NOT EXISTS chat (sid, n, text, PRIMARY KEY (sid, n))")

    def append(self, session_id, messages):
        ask = "SELECT coalesce(max(n), 0) + 1 FROM chat WHERE sid = ?"
        (n,) = self.db.execute(ask, [session_id]).fetchone()
        for place, message in enumerate(messages, n):
            row = [session_id, place, message.content]
            self.db.execute("INSERT OR REPLACE INTO chat VALUES (?, ?, ?)", row)

    def read(self, session_id):
        query = "SELECT text FROM chat WHERE sid = ? ORDER BY n"
        return [Message("user", text) for (text,) in self.db.execute(query, [session_id])]

    def close(self):
        self.db.close()
'''


def test_the_code_of_the_page_runs(tmp_path, monkeypatch):
    """The schedule is carried out twenty times on the store that is named, and each is the same."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "chat.py").write_text(STORE, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    names: dict = {}
    exec(compile(CODE, "docs/schedules.md", "exec"), names)
    for name in ("shop", "shop.chat"):
        sys.modules.pop(name, None)
    runs = names["runs"]
    assert len(runs) == 20
    assert len({len(run.steps) for run in runs}) == 1
