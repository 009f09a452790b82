"""What is there when clients begin: sessions, and threads that earlier executions have left."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from toy_runs import A, Plain, Pointed, program, runner_of, step

from sessionproof.contract.errors import Conflict
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message
from sessionproof.history.columns import F, Type
from sessionproof.schedule.bounded import Bounded
from sessionproof.schedule.decisions import Usual
from sessionproof.schedule.locks import start
from sessionproof.schedule.managed import active
from sessionproof.schedule.program import Setup
from sessionproof.schedule.runner import Runner
from sessionproof.workload.rounds import Call
from sessionproof.workload.speech import Speech


class Made(Pointed):
    """Sessions must be made, once."""

    def create(self, session=None, messages=()):
        step("make", session)
        if session in self.here:
            raise Conflict("it is there")
        self.here[session] = tuple(messages)
        return session


class Untidy(Plain):
    """Each append leaves a thread behind that has three steps to do."""

    def append(self, session, messages):
        super().append(session, messages)
        if active() is not None:
            start(threading.Thread(target=lambda: [step() for _ in range(3)], daemon=True))


def _creations(made, root):
    setup = Setup(spec_of("made", Made), "threads", 2, Speech(Message("user", "x"), False), True)
    runner = Runner(setup, lambda: Location(Path(tempfile.mkdtemp(dir=root))))
    rows = runner.run(made, Usual()).history.rows
    runner.close()
    return [Type(int(one["type"])) for one in rows if one["f"] == F.CREATE]


def test_sessions_are_made_before(tmp_path):
    """Where clients do not make them."""
    assert _creations(program([A], [A]), tmp_path) == [Type.OK]


def test_sessions_that_clients_make_are_not(tmp_path):
    """One of two makes it, the other one is refused."""
    make = Call(F.CREATE, 0)
    assert sorted(_creations(program([make, A], [make, A]), tmp_path)) == [Type.OK, Type.FAIL]


def test_threads_come_to_rest_before_clients_begin(tmp_path):
    """What an execution has left to do is no part of the next one."""
    runner, made = runner_of(Untidy, root=tmp_path), program([A], [A])
    bound = Bounded(made, 1)
    born = set()
    for strategy in bound:
        steps = runner.run(made, strategy).steps
        born.add(len({one.key.task for one in steps if one.key.task >= 100}) <= 2)
    runner.close()
    assert bound.covered
    assert born == {True}
    assert bound.schedules > 10
