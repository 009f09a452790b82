"""Scripts of races: they fail against a racy store, and say that a mended one holds."""

import ast
import dataclasses
import textwrap

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.engine.reproduce import reproduce
from sessionproof.history.columns import F
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.races import Race, attempts_for, race_script
from sessionproof.workload.rounds import Call

STORES = '''
"""A store that writes a list anew with each append, and the same under a lock."""

import asyncio
import json
import os
import threading
import time

from sessionproof import Message, Receipt, SessionInfo

_lock = threading.Lock()


class Racy:
    def __init__(self, location):
        self.path = location.path("all.json")

    def _texts(self):
        try:
            return json.loads(self.path.read_text())
        except FileNotFoundError:
            return []

    def append(self, session_id, messages):
        old = self._texts()
        time.sleep(0)
        fresh = self.path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        fresh.write_text(json.dumps([*old, *(one.content for one in messages)]))
        os.replace(fresh, self.path)
        return Receipt(seqs=[len(old) + 1 + k for k in range(len(messages))])

    def read(self, session_id):
        return [Message("user", text) for text in self._texts()]

    def get(self, session_id):
        number = len(self._texts())
        return SessionInfo(session_id=session_id, message_count=number, total_tokens=3 * number)

    def close(self):
        pass


class Mended(Racy):
    def append(self, session_id, messages):
        with _lock:
            return super().append(session_id, messages)


class Twice(Mended):
    def append(self, session_id, messages):
        super().append(session_id, messages)
        super().append(session_id, messages[:1])


class Overpriced(Mended):
    def get(self, session_id):
        info = super().get(session_id)
        return SessionInfo(
            session_id=session_id, message_count=info.message_count, total_tokens=0
        )


class Later(Mended):
    """A read holds what was there when this handle was last written to."""

    seen = ()

    def append(self, session_id, messages):
        super().append(session_id, messages)
        self.seen = super().read(session_id)[:-1]

    def read(self, session_id):
        return self.seen or super().read(session_id)


class Forgets(Mended):
    """Reads have all but the newest."""

    def read(self, session_id):
        return super().read(session_id)[:-1]


class Awaits:
    """A task changes hands between what it read and what it writes."""

    def __init__(self, location):
        self.store = Mended(location)

    async def append(self, session_id, messages):
        old = self.store._texts()
        await asyncio.sleep(0)
        self.store.path.write_text(json.dumps([*old, *(one.content for one in messages)]))

    async def read(self, session_id):
        return self.store.read(session_id)

    async def close(self):
        pass


class Waits(Mended):
    def append(self, session_id, messages):
        time.sleep(60)
'''
CLAIMS = Claims(handles="processes", seq_start=1, keeps={"role", "content", "tokens"})
APPEND, READ, COUNT = Call(F.APPEND, 0, 1), Call(F.READ, 0), Call(F.COUNT, 0)
BUSY = ((APPEND, APPEND, READ, APPEND, COUNT) * 3,) * 2


def race(anomaly, **changes):
    """A race of two threads with handles of their own."""
    return Race(
        **{
            "anomaly": anomaly, "kind": "threads", "programs": BUSY, "attempts": 6,
            "sample": Message("user", "x"), "claims": CLAIMS, "capabilities": {"get"},
            "created": False, "answer_s": 1.0, **changes,
        }
    )  # fmt: skip


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """What the engine says of the script of a race, run against one of the stores."""
    (tmp_path / "racing.py").write_text(textwrap.dedent(STORES))
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(store, one):
        finding = Finding(
            anomaly=one.anomaly, did="d", expected="e", seen="s", repeats="5 of 12 rounds",
            script=race_script(one),
        )  # fmt: skip
        record = Record(guarantee="CONC-01", test="t", verdict=Verdict.BROKEN, findings=(finding,))
        (out,) = reproduce(f"racing:{store}", [record], tmp_path / "report", directory=tmp_path)
        return out.findings[0].reproducer

    return run


BREAKS = [
    ("Racy", Anomaly.LOST_MESSAGE, "acknowledged"),
    ("Racy", Anomaly.DUPLICATE_SEQUENCE, "was given 2 times"),
    ("Twice", Anomaly.DUPLICATE, "is there 2 times"),
    ("Overpriced", Anomaly.COUNTER_DRIFT, "the total is 0"),
    ("Later", Anomaly.READ_YOUR_WRITES, "misses it"),
]


@pytest.mark.parametrize(("store", "anomaly", "said"), BREAKS)
def test_a_script_fails_as_long_as_the_store_breaks_the_rule(ran, store, anomaly, said):
    """It says in one sentence what was broken; against the mended store it says that it holds."""
    made = ran(store, race(anomaly))
    assert made.fails, made
    assert said in made.said
    mended = ran("Mended", race(anomaly, attempts=2))
    assert mended.fails is False, mended


def test_clients_may_be_processes(ran):
    """Spawned processes do their programs at once, each on a handle of its own."""
    made = ran("Racy", race(Anomaly.LOST_MESSAGE, kind="processes", attempts=20))
    assert made.fails, made


def test_clients_may_share_a_handle(ran):
    """Threads on one handle."""
    assert ran("Racy", race(Anomaly.LOST_MESSAGE, kind="shared")).fails
    assert ran("Mended", race(Anomaly.NOT_LINEARIZABLE, kind="shared")).fails is False


def test_clients_may_be_tasks(ran):
    """Tasks of one loop, on a store whose methods answer awaitables, or on one that has none."""
    awaited = ("append", "read", "close")
    quiet = ((APPEND,) * 5 + (READ,),) * 2
    lost = race(Anomaly.LOST_MESSAGE, kind="tasks", awaited=awaited, programs=quiet)
    assert ran("Awaits", lost).fails
    assert ran("Mended", race(Anomaly.LOST_MESSAGE, kind="tasks")).fails is False


def test_a_hang_ends_the_script(ran):
    """A call that does not return is shown by a stack, and not waited for."""
    made = ran("Waits", race(Anomaly.HANG))
    assert made.fails, made
    assert "did not return" in made.said


ALL = [
    Anomaly.LOST_MESSAGE, Anomaly.LOST_SESSION, Anomaly.DUPLICATE, Anomaly.ABORTED_READ,
    Anomaly.TORN_BATCH, Anomaly.INTERMEDIATE_READ, Anomaly.WRITE_ORDER, Anomaly.REORDER,
    Anomaly.PHANTOM, Anomaly.CHANGED, Anomaly.STALE_READ, Anomaly.READ_YOUR_WRITES,
    Anomaly.NON_MONOTONIC, Anomaly.FUTURE_READ, Anomaly.REAL_TIME, Anomaly.NOT_LINEARIZABLE,
    Anomaly.DUPLICATE_SEQUENCE, Anomaly.SEQUENCE_GAP, Anomaly.SEQUENCE_ORDER,
    Anomaly.COUNTER_DRIFT, Anomaly.RESURRECTION, Anomaly.HANG, Anomaly.MALFORMED,
]  # fmt: skip


def _done(client, call, answer, *, texts=(), outcome="ok", at=(0, 1)):
    names = ("client", "call", "texts", "outcome", "answer", "began", "ended")
    values = (client, call, [*texts], outcome, answer, *at)
    made = dataclasses.make_dataclass("Done", names)
    return made(*values)


def _judge(anomaly, done, last, claims=CLAIMS):
    """What ``wrong`` of the script says of operations that were made by hand."""
    lines = race_script(race(anomaly, claims=claims))
    tree = ast.parse("\n".join(lines))
    tree.body = [one for one in tree.body if getattr(one, "name", "") == "wrong"]
    scope = {"PROGRAMS": BUSY}
    exec(compile(tree, "script", "exec"), scope)
    return scope["wrong"](done, last)


LINEAR = dataclasses.replace(CLAIMS, consistency="linearizable")


@pytest.mark.parametrize("claims", [CLAIMS, LINEAR], ids=["none", "linearizable"])
@pytest.mark.parametrize("anomaly", ALL)
def test_no_rule_calls_a_right_history_wrong(anomaly, claims):
    """Two appends at once, a batch, and reads in between: right by every rule."""
    counted = anomaly is Anomaly.COUNTER_DRIFT
    done = [
        _done(0, "append", [1], texts=["a"], at=(0, 4)),
        _done(1, "append", [2, 3], texts=["b", "c"], at=(1, 3)),
        _done(0, "read", ["a", "b", "c"], at=(5, 6)),
        _done(1, "append", None, texts=["no"], outcome="refused", at=(7, 8)),
        _done(0, "count", (3, 9), at=(9, 10)),
    ]
    last = ["a", "b", "c", *([[(3, 9)]] if counted else [])]
    assert _judge(anomaly, done, last, claims) is None


A, B = "a", "b"
WRONG = [
    (Anomaly.LOST_MESSAGE, [_done(0, "append", [1], texts=[A])], []),
    (Anomaly.DUPLICATE, [_done(0, "append", [1], texts=[A])], [A, A]),
    (Anomaly.ABORTED_READ, [_done(0, "append", None, texts=[A], outcome="refused")], [A]),
    (Anomaly.TORN_BATCH, [_done(0, "append", [1, 2], texts=[A, B])], [A]),
    (Anomaly.TORN_BATCH, [_done(0, "append", [1, 2], texts=[A, B])], [A, "x", B]),
    (
        Anomaly.WRITE_ORDER,
        [_done(0, "append", [1], texts=[A]), _done(0, "append", [2], texts=[B], at=(2, 3))],
        [B, A],
    ),
    (Anomaly.REORDER, [_done(0, "read", [B, A])], [A, B]),
    (Anomaly.REORDER, [_done(0, "read", [B])], [A, B]),
    (Anomaly.PHANTOM, [_done(0, "append", [1], texts=[A])], [A, B]),
    (
        Anomaly.STALE_READ,
        [_done(0, "append", [1], texts=[A]), _done(1, "read", [], at=(2, 3))],
        [A],
    ),
    (
        Anomaly.NON_MONOTONIC,
        [_done(1, "read", [A]), _done(1, "read", [], at=(2, 3))],
        [A],
    ),
    (
        Anomaly.FUTURE_READ,
        [_done(1, "read", [A]), _done(0, "append", [1], texts=[A], at=(2, 3))],
        [A],
    ),
    (
        Anomaly.REAL_TIME,
        [_done(0, "append", [1], texts=[A]), _done(1, "append", [2], texts=[B], at=(2, 3))],
        [B, A],
    ),
    (
        Anomaly.DUPLICATE_SEQUENCE,
        [_done(0, "append", [1], texts=[A]), _done(1, "append", [1], texts=[B])],
        [A, B],
    ),
    (
        Anomaly.SEQUENCE_GAP,
        [_done(0, "append", [1], texts=[A]), _done(1, "append", [3], texts=[B])],
        [A, B],
    ),
    (
        Anomaly.SEQUENCE_ORDER,
        [_done(0, "append", [1], texts=[A]), _done(1, "append", [2], texts=[B])],
        [B, A],
    ),
    (Anomaly.COUNTER_DRIFT, [_done(0, "append", [1], texts=[A])], [A, [(2, 6)]]),
    (Anomaly.COUNTER_DRIFT, [_done(0, "count", (1, 2))], [A, [(1, 3)]]),
    (
        Anomaly.RESURRECTION,
        [
            _done(0, "append", [1], texts=[A]),
            _done(1, "delete", None, at=(2, 3)),
            _done(0, "read", [A], at=(4, 5)),
        ],
        [],
    ),
]


@pytest.mark.parametrize(("anomaly", "done", "last"), WRONG)
def test_each_rule_sees_what_it_is_about(anomaly, done, last):
    """Operations that were made by hand to break the rule break it."""
    assert _judge(anomaly, done, last)


def test_a_count_that_never_was_is_seen_where_real_time_counts():
    """A count is judged against what was acknowledged before, and sent until it ended."""
    done = [
        _done(0, "append", [1], texts=[A]),
        _done(1, "count", (0, 0), at=(2, 3)),
    ]
    assert _judge(Anomaly.COUNTER_DRIFT, done, [A, [(1, 3)]], LINEAR)
    assert _judge(Anomaly.COUNTER_DRIFT, done, [A, [(1, 3)]]) is None


def test_attempts_follow_the_rate():
    """Rare breaks are tried more often, and slow stores not for ever."""
    assert attempts_for(12, 12, 0.001) == 150
    assert attempts_for(3, 10, 0.001) == 150
    assert attempts_for(0, 10, 0.001) == 200
    assert attempts_for(1, 10, 0.2) == 40
    assert attempts_for(1, 10, 10.0) == 20


@pytest.mark.parametrize(
    "changes",
    [
        {"anomaly": Anomaly.LEAK},
        {"programs": ((Call(F.CLEAR, 0), APPEND),)},
        {"programs": ((Call(F.DELETE, 0), APPEND),)},
        {"sample": Message(None, None, kind="tool_call")},
    ],
    ids=["anomaly", "clear", "delete", "tool calls"],
)
def test_what_takes_a_search_has_no_script(changes):
    """The reason is one sentence."""
    with pytest.raises(Unwritable, match=r"\w+ \w+"):
        race_script(race(**{"anomaly": Anomaly.LOST_MESSAGE, **changes}))


FIRST = ((APPEND, APPEND, READ), (READ, READ))


@pytest.mark.parametrize("kind", ["threads", "shared", "processes"])
def test_what_one_does_before_has_ended_when_others_begin(ran, kind):
    """A read of another client sees both appends, or the script says which one it misses."""
    before = race(
        Anomaly.STALE_READ, kind=kind, programs=FIRST, meets=3, before=2, pauses=kind != "shared"
    )
    assert ran("Mended", before).fails is False
    assert "PROGRAMS[client][place] is None" in "\n".join(race_script(before))
    missed = ran("Forgets", before)
    assert missed.fails, missed
    assert "was acknowledged before a read" in missed.said


@pytest.mark.parametrize(("before", "loses"), [(2, False), (1, True)])
def test_tasks_begin_when_the_first_has_done_what_comes_before(ran, before, loses):
    """An append is lost to one at the same time, and to none that had ended."""
    made = ran("Awaits", race(
        Anomaly.LOST_MESSAGE, kind="tasks", awaited={"append", "read", "close"},
        programs=((APPEND, APPEND), (APPEND,)), before=before, pauses=not loses,
    ))  # fmt: skip
    assert made.fails is loses, made
