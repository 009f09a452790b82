"""Auditing as a stranger: in a process of its own, and where it matters without root's rights."""

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Message
from sessionproof.audit.examine import audit
from sessionproof.reference import ReferenceStore

CHILD = """
import json, os, sys, urllib.parse  # which pathlib imports late, when its folder is closed
from pathlib import Path
from sessionproof.audit import file
from sessionproof.audit.examine import audit
from sessionproof.audit.result import audit_to_json
file._ATTEMPTS = 2
if sys.argv[2] == "nobody" and os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    print(json.dumps(audit_to_json(audit(Path(sys.argv[1])))))
except file.Unreadable as error:
    print(json.dumps({"unreadable": str(error)}))
"""


@pytest.fixture
def elsewhere():
    """Audit in another process, whose locks are not ours: the JSON, or ``unreadable``."""

    def look(path, *, rights="own"):
        ended = subprocess.run(
            [sys.executable, "-c", CHILD, str(path), rights],
            capture_output=True, check=True, encoding="utf-8", timeout=60,
        )  # fmt: skip
        return json.loads(ended.stdout)

    return look


@pytest.fixture
def folder():
    """A folder that others may read; pytest's own is closed to them."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


@pytest.fixture
def reference(tmp_path):
    """A closed file of the reference store with everything in it: three sessions, ``a`` of five."""
    with ReferenceStore(tmp_path, durability="process") as store:
        five = [Message("user", f"{n}", tokens=10, duration_us=100) for n in range(5)]
        store.append("a", five)
        store.append("b", [Message("assistant", {"k": [1]}, id="own", metadata={"m": 1})])
        store.set_state("a", "key", {"v": 1})
        store.create("c", owner="o", metadata={"x": 1})
        return Path(store.tables().path)


@pytest.fixture
def harm():
    """Change a file behind the back of its triggers, keys and constraints."""

    def change(path, *statements):
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            triggers = connection.execute(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
            ).fetchall()
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for statement in statements:
                connection.execute(statement)
            for _, sql in triggers:
                connection.execute(sql)

    return change


def brief(found):
    """Every problem as kind, table, column, count."""
    return {(one.kind, one.table, one.column, one.count) for one in found.problems}


@pytest.fixture
def problems():
    """What an audit in this process says of a file, in brief."""
    return lambda path: brief(audit(path))


LISTING = """
import sys
from hashlib import sha256
from pathlib import Path
for one in sorted(Path(sys.argv[1]).iterdir()):
    about = one.stat()
    print(one.name, sha256(one.read_bytes()).hexdigest(), about.st_mtime_ns, about.st_mode)
"""


@pytest.fixture
def listing():
    """Every file of a folder with its bytes, its time of change and its rights.

    Looked at in another process: to close a file here would give back the locks that a test holds.
    """

    def look(where):
        return subprocess.run(
            [sys.executable, "-S", "-c", LISTING, str(where)], capture_output=True, check=True
        ).stdout

    return look
