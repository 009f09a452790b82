"""Who waits for a database is woken by who lets go of it, and by nobody else."""

import tempfile
from pathlib import Path

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message
from sessionproof.history.columns import F
from sessionproof.schedule.decisions import Ended
from sessionproof.schedule.points import controlled
from sessionproof.schedule.program import Program, Setup
from sessionproof.schedule.runner import Runner
from sessionproof.workload.rounds import Call
from sessionproof.workload.speech import Speech

TABLE = "CREATE TABLE IF NOT EXISTS m (session TEXT, text TEXT)"


def made(location):
    """A store whose clients have fetched one row, not all, when they wait for the lock."""
    import sqlite3  # under control

    class Store:
        def __init__(self):
            self.db = sqlite3.connect(location.path("s.db"), isolation_level=None)
            self.db.execute("PRAGMA synchronous = OFF")
            self.db.execute(TABLE)

        def append(self, session, messages):
            self.db.execute("SELECT count(*) FROM m").fetchone()
            self.db.execute("BEGIN IMMEDIATE")
            for one in messages:
                self.db.execute("INSERT INTO m VALUES (?, ?)", (session, one.content))
            self.db.execute("COMMIT")

        def read(self, session):
            rows = self.db.execute("SELECT text FROM m WHERE session = ?", (session,)).fetchall()
            return [Message("user", text) for (text,) in rows]

        def close(self):
            self.db.close()

    return Store()


class OneInside:
    """The last client goes on until it is in its transaction; then the others, while they can."""

    def __init__(self, last):
        self.last = last
        self.inside = False

    def pick(self, decision):
        """The last one at first, then any other."""
        self.inside = self.inside or decision.points[self.last].what.startswith("INSERT")
        others = [one for one in decision.ready if one != self.last]
        if self.inside and others:
            return others[0]
        return self.last if self.last in decision.ready else decision.usual


def test_two_who_wait_do_not_wake_each_other():
    """A lock that two wait for is taken by neither until it is given back, and then by both."""
    program = Program(tuple(((at + 1, Call(F.APPEND, 0, 1)),) for at in range(3)))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        with controlled([root]):
            setup = Setup(
                spec_of("made", made), "threads", 3, Speech(Message("user", "x"), counted=False)
            )
            runner = Runner(setup, lambda: Location(Path(tempfile.mkdtemp(dir=root))))
            run = runner.run(program, OneInside(2), fresh=True)
            runner.close()
    assert not run.problem
    assert run.ended is Ended.DONE
    tried = [step.key.task for step in run.steps if step.point.what == "BEGIN IMMEDIATE"]
    assert tried.count(2) == 1
    assert 4 <= len(tried) <= 9
