"""What an import refuses: a file with a mistake changes nothing, and is named in a line."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path

import pytest

from sessionproof import Conflict, Message, Refused
from sessionproof.reference import ReferenceStore
from sessionproof.reference.exchange import tables

CSV = ("sessions.csv", "state.csv", "messages.csv")
MIXED = (
    Message("user", "hi", tokens=2),
    Message("assistant", None, kind="tool_call", name="f", call_id="c", arguments={"q": 1.0}),
    Message("user", ""),
)


def opened(place: Path) -> ReferenceStore:
    place.mkdir(parents=True, exist_ok=True)
    return ReferenceStore(place, durability="process")


HEAD = '{"sessionproof":{"form":1}}\n{"session":{"session_id":"good"}}\n'
ONE = '{"session":{"session_id":"s"}}\n{"message":{"role":"user","content":"x"}}\n'
AGAIN = '{"message":{"role":"user","content":"x","seq":1,"id":"i"}}\n'


def end(sessions: int, messages: int) -> str:
    return f'{{"end":{{"sessions":{sessions},"messages":{messages}}}}}\n'


def changed(old: str, new: str) -> str:
    """A file that is in order but for this."""
    assert old in ONE
    return HEAD + ONE.replace(old, new) + end(2, 1)


BAD = {
    "empty": "",
    "only a head": HEAD,
    "cut": HEAD + ONE,
    "cut within": (HEAD + ONE)[:-5],
    "later form": HEAD.replace('"form":1', '"form":2') + end(1, 0),
    "no head": ONE + end(1, 1),
    "wrong end": HEAD + ONE + end(2, 2),
    "end without numbers": HEAD + ONE + '{"end":{}}',
    "after the end": HEAD + ONE + end(2, 1) + ONE,
    "message first": HEAD.partition("\n")[0] + "\n" + AGAIN + end(0, 1),
    "no JSON": HEAD + "nonsense",
    "a list": HEAD + "[1]",
    "two keys": HEAD + '{"session":{},"x":1}\n' + end(2, 0),
    "too deep": HEAD + '{"session":' * 100_000,
    "not UTF-8": HEAD.encode() + b'{"session":{"session_id":"\xff"}}',
    "unknown field": changed("session_id", "sessionid"),
    "number as id": changed('"s"', "7"),
    "unknown role": changed("user", "robot"),
    "unknown message field": changed("role", "roll"),
    "fewer messages than said": changed('"s"', '"s","message_count":2'),
    "negative tokens": changed('"x"', '"x","tokens":-1'),
    "no number": changed('"x"', "NaN"),
    "bad status": changed('"s"', '"s","status":"gone"'),
    "bad tag": changed('"s"', '"s","tag":"x"'),
    "bad limit": changed('"s"', '"s","idle_timeout_us":0'),
    "bad time": changed('"s"', '"s","created_at_us":1e9'),
    "bad metadata": changed('"s"', '"s","metadata":[1]'),
    "bad state": changed('"s"', '"s","state":[1]'),
    "time beyond all": changed('"x"', '"x","appended_at_us":1' + 30 * "0"),
    "limit beyond all": changed('"s"', f'"s","idle_timeout_us":{2**63 - 1}'),
    "number 0": changed('"x"', '"x","seq":0'),
    "text as number": changed('"x"', '"x","seq":"1"'),
    "number again": HEAD + ONE + AGAIN + end(2, 2),
    "session again": HEAD + ONE + ONE + end(3, 2),
    "id again": HEAD + ONE.replace('"x"', '"x","id":"i"') + AGAIN.replace(":1", ":2") + end(2, 2),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_file_with_a_mistake_changes_nothing(tmp_path: Path, text: str | bytes):
    """It is refused in a line that names the file, though a session before is in order."""
    (tmp_path / "in").write_bytes(text.encode() if isinstance(text, str) else text)
    with opened(tmp_path / "a") as store:
        with pytest.raises(Refused) as refused:
            store.import_sessions(tmp_path / "in", form="full")
        assert str(tmp_path / "in") in str(refused.value)
        assert "\n" not in str(refused.value)
        assert store.list() == []


def test_a_first_line_that_is_nested_too_deeply_is_told(tmp_path: Path):
    """Also where nobody said what the file is, and it is looked at first."""
    (tmp_path / "in").write_text('{"a":' + "[" * 60_000 + "\n")
    with opened(tmp_path / "a") as store, pytest.raises(Refused, match="line 1: nested too deeply"):
        store.import_sessions(tmp_path / "in")


def test_the_same_file_without_a_mistake_is_stored(tmp_path: Path):
    """What the cases above change is in order before."""
    (tmp_path / "in").write_text(changed("user", "user"))
    with opened(tmp_path / "a") as store:
        assert store.import_sessions(tmp_path / "in").messages == 1


def test_an_id_of_the_stores_own_form_is_no_mistake(tmp_path: Path):
    """An earlier message may have the id of one that is gone."""
    with opened(tmp_path / "a") as store:
        _, second, third = store.append("s", [Message("user", text) for text in "xyz"]).ids
        store.delete_message("s", third)
        store.edit_message("s", second, Message("user", "edited", id=third))
        before = store.read("s")
        store.export_sessions(tmp_path / "out")
        store.delete("s")
        store.import_sessions(tmp_path / "out")
        assert store.read("s") == before
        assert store.verify().ok


def test_a_client_s_time_beyond_all_is_no_time_of_an_append(tmp_path: Path):
    """With a limit added, the last activity stays a number that SQLite has."""
    text = changed('"x"', f'"x","created_at_us":{2**63 - 1}')
    (tmp_path / "in").write_text(text)
    with opened(tmp_path / "a") as store:
        store.import_sessions(tmp_path / "in")
        store.set_limits("s", idle_us=1)
        assert store.verify().ok


def test_two_read_long_cells_at_once(tmp_path: Path):
    """The limit of Python's csv is one for all threads: who ends first leaves it to the other."""
    limit = csv.field_size_limit()
    with opened(tmp_path / "a") as store:
        for name in ("s1", "s2"):
            store.append(name, [Message("user", "x" * 200_000)])
        store.export_sessions(tmp_path / "csv", form="csv")
    first, other = tables.read(tmp_path / "csv"), tables.read(tmp_path / "csv")
    _, one = next(first), next(other)
    first.close()
    assert [len(item.message.content) for item in one.messages] == [200_000]
    assert [len(item.message.content) for item in next(other).messages] == [200_000]
    other.close()
    assert csv.field_size_limit() == limit


def test_a_text_is_no_collection_of_ids(tmp_path: Path):
    """Its letters are not meant."""
    with opened(tmp_path / "a") as store, pytest.raises(Refused, match="collection"):
        store.export_sessions(tmp_path / "out", session_ids="s1")


CHAT = {
    "no messages": '{"a": "messages"}',
    "a text": '{"messages": "x"}',
    "no object": '{"messages": [1]}',
    "no role": '{"messages": [{"content": "x"}]}',
    "unknown role": '{"messages": [{"role": "robot", "content": "x"}]}',
    "number as id": '{"session_id": 1, "messages": []}',
    "calls are no list": '{"messages": [{"role": "user", "tool_calls": {"a": 1}}]}',
    "a call is no object": '{"messages": [{"role": "user", "tool_calls": [1]}]}',
    "a call without a function": '{"messages": [{"role": "user", "tool_calls": [{"id": "c"}]}]}',
    "a name that is none": '{"messages": [{"role": "user", "content": "x", "name": 7}]}',
}


@pytest.mark.parametrize("text", CHAT.values(), ids=CHAT)
def test_a_chat_with_a_mistake_changes_nothing(tmp_path: Path, text: str):
    """It is refused in a line that names the file, though a chat before is in order."""
    good = '{"session_id": "good", "messages": []}'
    (tmp_path / "in").write_text(f"{good}\n{text}\n")
    with opened(tmp_path / "a") as store:
        with pytest.raises(Refused) as refused:
            store.import_sessions(tmp_path / "in")
        assert str(tmp_path / "in") in str(refused.value)
        assert "\n" not in str(refused.value)
        assert store.list() == []


def written_csv(tmp_path: Path) -> Path:
    with opened(tmp_path / "a") as store:
        for name in ("s1", "s2"):
            store.create(name, messages=MIXED, title="t")
            store.set_state(name, "k", None)
        store.export_sessions(tmp_path / "csv", form="csv")
    return tmp_path / "csv"


SPOILED = {
    "a file is missing": lambda d: (d / "state.csv").unlink(),
    "the header is missing": lambda d: edit(d, "messages.csv", lambda t: t.partition("\n")[2]),
    "a message is missing": lambda d: edit(d, "messages.csv", lambda t: t.rsplit("s2,", 1)[0]),
    "a session is missing": lambda d: edit(d, "sessions.csv", lambda t: t.rsplit("s2,", 1)[0]),
    "a cell is missing": lambda d: edit(d, "sessions.csv", lambda t: t.replace(",t,", ",", 1)),
    "no number": lambda d: edit(d, "messages.csv", lambda t: t.replace("s1,1,", "s1,x,", 1)),
    "a wrong escape": lambda d: edit(d, "sessions.csv", lambda t: t.replace(",t,", ",\\t,", 1)),
    "an open quote": lambda d: edit(d, "messages.csv", lambda t: t.replace(",hi,", ',"hi,', 1)),
    "no JSON": lambda d: edit(d, "state.csv", lambda t: t.replace("null", "nul", 1)),
    "not UTF-8": lambda d: (d / "state.csv").write_bytes(b"session_id,key,value\n\xff,k,1\n"),
    "two contents": lambda d: edit(d, "messages.csv", lambda t: t.replace(",hi,\\N", ",hi,1", 1)),
}


def edit(folder: Path, name: str, work) -> None:
    text = (folder / name).read_text("utf-8")
    changed = work(text)
    assert changed != text
    (folder / name).write_text(changed, "utf-8")


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_tables_that_were_spoiled_change_nothing(tmp_path: Path, spoil):
    """Erratum 54: a table, a header, a row that is gone is told, with the file's name."""
    folder = written_csv(tmp_path)
    spoil(folder)
    with opened(tmp_path / "b") as store:
        with pytest.raises(Refused) as refused:
            store.import_sessions(folder, form="csv")
        assert str(folder) in str(refused.value)
        assert "\n" not in str(refused.value)
        assert store.list() == []


UNKNOWN = {
    "nothing": (None, "does not exist"),
    "text": (b"hello", "nothing that can be imported"),
    "JSON": (b'{"a": 1}\n', "nothing that can be imported"),
    "empty": (b"", "nothing that can be imported"),
    "folder": ("folder", "has no sessions.csv"),
    "database": ("CREATE TABLE t (a)", "no database that can be imported"),
    "broken database": (b"SQLite format 3\0" + b"\xff" * 200, "in "),
}


@pytest.mark.parametrize(("content", "why"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_nothing_of_ours_is_refused(tmp_path: Path, content, why: str):
    """Each in a line that names the file, and nothing is made beside it."""
    path = tmp_path / "in"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, str):
        with sqlite3.connect(path) as db:
            db.execute(content)
        db.close()
    elif content is not None:
        path.write_bytes(content)
    with opened(tmp_path / "a") as store, pytest.raises(Refused, match=why) as refused:
        store.import_sessions(path)
    assert str(path) in str(refused.value)
    assert {one.name for one in tmp_path.iterdir()} <= {"a", "in"}


def test_words_that_are_not_known_are_refused(tmp_path: Path):
    """Forms and manners that do not exist are named with those that do."""
    with opened(tmp_path / "a") as store:
        store.export_sessions(tmp_path / "out")
        for call in (
            lambda: store.export_sessions(tmp_path / "x", form="xml"),
            lambda: store.import_sessions(tmp_path / "out", form="xml"),
            lambda: store.import_sessions(tmp_path / "out", existing="replace"),
            lambda: store.export_sessions(tmp_path / "x", owner=7),
            lambda: store.export_sessions(tmp_path / "x", session_ids=[7]),
        ):
            with pytest.raises(Refused):
                call()


def test_a_database_of_ours_is_sent_to_export(tmp_path: Path):
    """An import of sessions.db says what to do instead."""
    with (
        opened(tmp_path / "a") as store,
        opened(tmp_path / "b") as other,
        pytest.raises(Refused, match="export it"),
    ):
        store.import_sessions(other.tables().path)


def test_a_session_that_appears_meanwhile_is_told(tmp_path: Path, monkeypatch):
    """Between the look and the store another client may be faster: a Conflict, or left alone."""
    from sessionproof.reference.exchange import importing

    with opened(tmp_path / "a") as store:
        store.create("s", messages=MIXED)
        store.export_sessions(tmp_path / "out")
        monkeypatch.setattr(importing, "_checked", lambda *_: set())
        with pytest.raises(Conflict, match="'s': "):
            store.import_sessions(tmp_path / "out")
        assert store.import_sessions(tmp_path / "out", existing="skip").skipped == 1
        assert store.count("s") == len(MIXED)


def test_an_interrupted_import_leaves_whole_sessions(tmp_path: Path, monkeypatch):
    """What was stored before is whole; with what is there left out, the import goes on."""
    from sessionproof.reference.exchange import importing

    def stop(step: str) -> None:
        if step == "session 2":
            raise KeyboardInterrupt

    with opened(tmp_path / "a") as store:
        for name in ("s1", "s2", "s3"):
            store.create(name, messages=MIXED)
        store.export_sessions(tmp_path / "out")
    monkeypatch.setattr(importing, "_ROWS_AT_ONCE", 1)
    with opened(tmp_path / "b") as store:
        with pytest.raises(KeyboardInterrupt):
            importing.import_sessions(store, tmp_path / "out", told=stop)
        assert (store.list(), store.count("s1")) == (["s1"], len(MIXED))
        done = store.import_sessions(tmp_path / "out", existing="skip")
        assert (done.sessions, done.skipped) == (2, 1)
        assert store.verify().ok


@pytest.mark.parametrize("form", ["full", "chat", "csv"])
def test_an_interrupted_export_leaves_nothing(tmp_path: Path, form: str):
    """No file, no folder and no part of one."""
    from sessionproof.reference.exchange.exporting import export_file

    def stop(step: str) -> None:
        if step == "session 2":
            raise KeyboardInterrupt

    with opened(tmp_path / "a") as store:
        for name in ("s1", "s2"):
            store.create(name, messages=MIXED)
    with pytest.raises(KeyboardInterrupt):
        export_file(tmp_path / "a", tmp_path / "out", form=form, told=stop)
    assert [one.name for one in tmp_path.iterdir()] == ["a"]
