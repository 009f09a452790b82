"""An arm in this process: what it opens, and what its program answers."""

import gc
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from arm_stores import Plain

from sessionproof.bench.arms.arm import Arm
from sessionproof.bench.arms.arm_main import answer_all
from sessionproof.contract.claims import Claims, claims_to_json
from sessionproof.host.server import Channel


class Noted(Plain):
    """Notes where it was opened, what it read, and that it was closed; kept by folder."""

    seen: ClassVar[list[object]] = []
    all_kept: ClassVar[dict[Path, dict[str, list[object]]]] = {}

    def __init__(self, location):
        self.kept = self.all_kept.setdefault(location.root, {})
        self.seen.append(location.root.parent.name)

    def read(self, session_id):
        self.seen.append(len(super().read(session_id)))
        return super().read(session_id)

    def close(self):
        self.seen.append("closed")


class NotedAsync(Noted):
    """The same, awaited."""

    async def read(self, session_id):
        return super().read(session_id)

    async def close(self):
        super().close()


def asked_of(store, root, **claims):
    """The request that opens a store of this file in this process."""
    return {
        "store": f"{Path(__file__).stem}:{store.__name__}", "root": str(root), "url": None,
        "namespace": None, "claims": claims_to_json(replace(Claims(), **claims)),
        "capabilities": [], "pool": "words of a chat " * 40,
    }  # fmt: skip


@pytest.mark.parametrize("store", [Noted, NotedAsync])
def test_the_opening_of_a_store_reads_one_message(tmp_path, store):
    """In a folder of its own, where nobody has it open, and it is closed each time."""
    Noted.seen.clear()
    one = Arm(asked_of(store, tmp_path))
    assert one.load(30, 0.0) == 30
    assert one.ready("open") == "opened, one message read, closed"
    assert Noted.seen == ["timed", 30, "opened", "closed", "opened", 1, "closed"]
    assert len(one.run("open", "store", 2)) == len(one.run("open", "floor", 3)) - 1 == 2
    assert Noted.seen[7:] == ["opened", 1, "closed"] * 2
    one.close()
    assert Noted.seen[13:] == ["closed"]


def test_a_store_that_can_say_nothing_is_not_timed(tmp_path):
    """Without a message that it takes there is nothing to append."""
    with pytest.raises(ValueError, match="can express no message"):
        Arm(asked_of(Noted, tmp_path, roles=frozenset({"user"}), kinds=frozenset({"tool_call"})))


@pytest.fixture
def collector():
    """What a program does to the collector of its own process is undone in this one."""
    yield
    gc.unfreeze()
    gc.enable()


def test_an_arm_answers_each_request_with_a_line(collector):
    """A method's answer, or what it raised, in one line; in the end it is closed."""
    closed = []

    class Made:
        def facts(self):
            return {"version": "1"}

        def load(self, number, within_s):
            if number < 0:
                raise ValueError("no\nless than nothing")
            return number

        def close(self):
            closed.append(True)
            raise OSError("it does not close")

    def opened(request):
        if request["store"] != "good":
            raise LookupError(request["store"])
        return Made()

    requests = [
        {"store": "bad"},
        {"store": "good"},
        {"call": "load", "given": [5, 0.0]},
        {"call": "load", "given": [-5, 0.0]},
        {"call": "nothing", "given": []},
    ]
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in requests)
    answers = io.BytesIO()
    answer_all(Channel(io.BytesIO(lines), answers), opened)
    refused, facts, loaded, error, unknown = map(json.loads, answers.getvalue().splitlines())
    assert refused == {"error": "LookupError: bad"}
    assert facts == {"answer": {"version": "1"}}
    assert loaded == {"answer": 5}
    assert error == {"error": "ValueError: no less than nothing"}
    assert "nothing" in unknown["error"]
    assert closed == [True]
