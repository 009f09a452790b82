"""Scripts of crashes: they fail on what a crash left, and hold where it is read or written well."""

import ast
import json
from pathlib import Path

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, AppendWithState, Reopen
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.engine.reproduce import reproduce
from sessionproof.faults.tracing.strace import why_not
from sessionproof.scripts.crashes import Left, crash_script, is_one_of, operation, reads_one_of
from sessionproof.scripts.expressions import Unwritable

STORES = '''
"""Lines of JSON: a torn last line blocks a session, is dropped, or is never acknowledged."""

import json
import os

from sessionproof import Claims, Message


class Blocked:
    claims = Claims(durability="process")
    synced = False

    def __init__(self, location):
        self.path = location.path("all.jsonl")

    def append(self, session_id, messages):
        for one in messages:
            self.write(json.dumps([session_id, one.role, one.content]) + "\\n")

    def write(self, line):
        with self.path.open("a") as file:
            file.write(line)

    def read(self, session_id):
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        rows = [self.row(line) for line in lines]
        return [Message(row[1], row[2]) for row in rows if row and row[0] == session_id]

    def row(self, line):
        return json.loads(line)

    def close(self):
        pass


class Drops(Blocked):
    def row(self, line):
        try:
            return json.loads(line)
        except ValueError:
            return None


class Buffers(Blocked):
    """What is appended waits in memory until the store is closed."""

    def __init__(self, location):
        super().__init__(location)
        self.waiting = []

    def write(self, line):
        self.waiting.append(line)

    def read(self, session_id):
        self.close()
        return super().read(session_id)

    def close(self):
        while self.waiting:
            super().write(self.waiting.pop(0))


'''

HELLO, BYE = Message("user", "Hello! #0"), Message("assistant", "Bye. #1")
WHOLE = json.dumps(["s0", "user", HELLO.content]).encode() + b"\n"
TORN = WHOLE + json.dumps(["s0", "assistant", BYE.content]).encode()[:20]
ALLOWED = [(HELLO,), (HELLO, BYE)]
needs_tracer = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def left(**changed):
    """What a crash inside the second append left, and that one of two lists is read."""
    given = {
        "folders": (),
        "files": {"all.jsonl": TORN},
        "checks": reads_one_of("'s0'", ALLOWED, Claims()),
        "programs": [[Append("s0", (HELLO,)), Append("s0", (BYE,))]],
        "model": "kill",
        "anomaly": "unreadable",
        "point": 3,
    }
    return Left(**(given | changed))


def shown(script, store, tmp_path, monkeypatch):
    """What the script says of the store when it is run by the engine."""
    (tmp_path / "linestores.py").write_text(STORES)
    monkeypatch.syspath_prepend(tmp_path)
    finding = Finding(anomaly=Anomaly.UNREADABLE, did="d", expected="e", seen="s", script=script)
    record = Record(
        guarantee="DUR-01", test="t", verdict=Verdict.BROKEN, examined=1, findings=(finding,)
    )
    (made,) = reproduce(f"linestores:{store}", [record], tmp_path / "r", directory=tmp_path)
    return made.findings[0].reproducer


@needs_tracer
def test_it_fails_as_long_as_the_store_does(tmp_path, monkeypatch):
    """A store that leaves nothing of an answered append fails by its files and when recorded."""
    script = crash_script(
        left(
            files={},
            checks=reads_one_of("'s0'", [(HELLO,)], Claims()),
            programs=[[Append("s0", (HELLO,)), Append("s0", (BYE,))]],
            anomaly="lost-message",
        )
    )
    made = shown(script, "Buffers", tmp_path, monkeypatch)
    assert made.fails, made
    assert "after the crash" in made.said


@needs_tracer
def test_it_holds_where_the_store_leaves_other_files_now(tmp_path, monkeypatch):
    """Files of the past that lack a message do not count against a store that writes it now."""
    script = crash_script(
        left(files={}, checks=reads_one_of("'s0'", [(HELLO,)], Claims()), anomaly="lost-message")
    )
    made = shown(script, "Blocked", tmp_path, monkeypatch)
    assert made.fails is False
    assert "a crash leaves it other files" in made.said


def test_it_holds_where_the_files_are_read(tmp_path, monkeypatch):
    """A store that drops the torn line reads what must be there, and nothing is recorded anew."""
    made = shown(crash_script(left()), "Drops", tmp_path, monkeypatch)
    assert made.fails is False
    assert "holds now" not in made.said


def test_what_answers_awaitables_is_awaited():
    """Where reading answers an awaitable, the script awaits it, also in what must hold."""
    script = "\n".join(crash_script(left(awaited={"read"})))
    assert "await store.read('s0')" in script


def test_files_and_folders_come_back_byte_for_byte(tmp_path):
    """Whatever bytes a file had, and empty folders and files, are there again."""
    files = {"a/b/c.db": bytes(range(256)) * 40, "empty": b"", "it's.txt": b"\0" * 9_000}
    script = crash_script(left(folders=("a", "a/b", "none"), files=files, checks=["pass"]))
    lines = script[: script.index("try:")]
    place = {"location": type("Location", (), {"root": tmp_path})}
    exec("import base64, lzma\n" + "\n".join(lines), place)
    assert {name: (tmp_path / name).read_bytes() for name in files} == files
    assert [one.name for one in Path(tmp_path / "none").iterdir()] == []


def test_files_that_are_too_large_make_no_script():
    """Bytes that do not compress, and are more than a file of text bears, are said to be so."""
    noise = b"".join((at * at * 2654435761 % 2**61).to_bytes(8, "big") for at in range(12_000))
    with pytest.raises(Unwritable, match="files that the crash left"):
        crash_script(left(files={"noise": noise}))


def test_a_hang_is_bounded():
    """Where a call did not return, the script ends by itself after its time."""
    script = crash_script(left(answer_s=3))
    assert any("dump_traceback_later(3, exit=True)" in line for line in script)


def test_one_list_is_asked_for_by_equality_and_several_by_choice():
    """A single right answer is compared; of several, each is listed once."""
    assert "assert seen == 4, seen" in is_one_of("f()", [4, 4])
    assert "assert seen in allowed, seen" in is_one_of("f()", [4, 5])


def test_a_session_that_may_be_empty_may_be_unknown():
    """Where no message need be there, an error that says so is right, too."""
    lines = reads_one_of("'s0'", [(), (HELLO,)], Claims())
    assert any("suppress(NotFound)" in line for line in lines)
    assert not any("suppress" in line for line in reads_one_of("'s0'", ALLOWED, Claims()))


@pytest.mark.parametrize(
    "step",
    [
        Append("s0", (HELLO, Message(None, None, kind="tool_call", arguments={"a": [1]}))),
        AppendWithState("it's", (BYE,), {"k": None}),
        Reopen(),
    ],
)
def test_operations_are_written_as_they_are(step):
    """The expression of an operation makes an equal one."""
    names = {kind.__name__: kind for kind in (Append, AppendWithState, Reopen, Message)}
    assert eval(compile(ast.parse(operation(step), mode="eval"), "it", "eval"), names) == step
