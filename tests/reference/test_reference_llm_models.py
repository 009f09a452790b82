"""The models that sessions name: known by their names, and never gone while one is in use."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Message, NotFound, Refused
from sessionproof.reference import ReferenceStore, opening, steps

IN_USE = "sessions name this model; nothing was changed"


def known(connection: sqlite3.Connection) -> list[str]:
    return sorted(str(name) for (name,) in connection.execute("SELECT name FROM llm_models"))


def test_a_session_names_a_model(store: ReferenceStore):
    """The model that was set is answered by get; None sets none; nothing else changes."""
    store.create("s", title="t", messages=[Message("user", "a", tokens=2)])
    before = store.get("s")
    store.add_llm_model("large")
    store.add_llm_model("large")
    store.set_llm_model("s", "large")
    assert store.get("s").llm_model == "large"
    store.set_llm_model("s", None)
    assert store.get("s") == before
    with pytest.raises(NotFound):
        store.set_llm_model("unknown", "large")
    assert store.list() == ["s"]


def test_a_model_in_use_is_not_removed(store: ReferenceStore):
    """Removing a model is refused while a session names it, and possible when none does."""
    store.add_llm_model("m")
    for name in ("s", "t"):
        store.append(name, [Message("user", "a")])
        store.set_llm_model(name, "m")
    with pytest.raises(Refused, match=IN_USE):
        store.delete_llm_model("m")
    store.set_llm_model("s", None)
    with pytest.raises(Refused, match=IN_USE):
        store.delete_llm_model("m")
    assert store.get("t").llm_model == "m"
    store.delete("t")
    store.delete_llm_model("m")
    store.delete_llm_model("m")
    assert store.get("s").llm_model is None


@pytest.mark.parametrize("name", ["m", "", "a\0b", "half \ud83d", "é", "e\u0301"])
def test_naming_a_model_makes_it_known(store: ReferenceStore, foreign, name: str):
    """However a session comes to name a model, it is known, and in use."""
    store.create("s", llm_model=name)
    store.create("t")
    store.update("t", llm_model=name)
    store.create("u")
    store.set_llm_model("u", name)
    assert len(known(foreign)) == 1
    assert {store.get(one).llm_model for one in "stu"} == {name}
    with pytest.raises(Refused, match=IN_USE):
        store.delete_llm_model(name)


@pytest.mark.parametrize("bad", [1, None, b"m"])
def test_a_model_s_name_is_a_text(store: ReferenceStore, foreign, bad):
    """What is no text is refused, and no model is made."""
    for call in (store.add_llm_model, store.delete_llm_model):
        with pytest.raises(Refused, match="name must be a string"):
            call(bad)
    assert known(foreign) == []


REFUSED = {
    "removed": "DELETE FROM llm_models WHERE name = 'm'",
    "renamed": "UPDATE llm_models SET name = 'n' WHERE name = 'm'",
    "renamed over": "UPDATE OR REPLACE llm_models SET name = 'm' WHERE name = 'free'",
    "without a name": "INSERT INTO llm_models (name) VALUES (NULL)",
    "a number": "INSERT INTO llm_models (name) VALUES (1)",
}


@pytest.mark.parametrize("recursive", [0, 1], ids=["plain", "recursive_triggers"])
@pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED)
def test_a_stranger_cannot_take_a_model_away(store: ReferenceStore, foreign, sql: str, recursive):
    """Foreign keys off or not, a session never names a model that is not known."""
    store.create("s", llm_model="m")
    store.add_llm_model("free")
    foreign.execute(f"PRAGMA recursive_triggers = {recursive}")
    with pytest.raises(sqlite3.IntegrityError):
        foreign.execute(sql)
    assert known(foreign) == ["free", "m"]


@pytest.mark.parametrize("recursive", [0, 1], ids=["plain", "recursive_triggers"])
@pytest.mark.parametrize("verb", ["UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE"])
def test_a_stranger_who_names_a_model_makes_it_known(store, foreign, verb: str, recursive: int):
    """Whatever a session is made to name, the model is there."""
    store.create("s", llm_model="m")
    foreign.execute(f"PRAGMA recursive_triggers = {recursive}")
    for name in ("m", "new"):
        foreign.execute(f"{verb} sessions SET llm_model = ?", (name,))
        assert name in known(foreign)
        with pytest.raises(Refused, match=IN_USE):
            store.delete_llm_model(name)


def test_a_file_of_version_1_is_upgraded(tmp_path: Path):
    """A file of the first schema keeps all that it has; the models of its sessions are known."""
    path = tmp_path / opening.FILE
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA auto_vacuum = INCREMENTAL")
        steps.upgrade(old, steps.shipped()[:1])
        old.execute("PRAGMA journal_mode = WAL")
        for name, model in (
            ("a", "large"),
            ("b", "large"),
            ("c", b"half \xed\xa0\xbd"),
            ("d", None),
        ):
            old.execute(
                "INSERT INTO sessions (session_id, created_at_us, last_activity_us, llm_model) "
                "VALUES (?, 1, 2, ?)",
                (name, model),
            )
        old.execute(
            "INSERT INTO messages (sid, seq, role, content, tokens, appended_at_us) "
            "VALUES (1, 1, 'user', 'kept', 7, 2)"
        )
        assert steps.version_of(old) == 1
    for _ in range(2):
        with ReferenceStore(tmp_path) as store:
            assert [store.get(name).llm_model for name in "abcd"] == [
                "large", "large", "half \ud83d", None,
            ]  # fmt: skip
            assert [message.content for message in store.read("a")] == ["kept"]
            assert (store.get("a").total_tokens, store.get("a").last_activity_us) == (7, 2)
            with pytest.raises(Refused, match=IN_USE):
                store.delete_llm_model("half \ud83d")
    with closing(sqlite3.connect(path)) as connection:
        assert steps.version_of(connection) == len(steps.shipped())
        assert steps.differences(connection, steps.shipped()) == []
        assert len(known(connection)) == 2


def test_removing_a_model_does_not_scan(store: ReferenceStore, foreign):
    """Whether sessions name a model is found by an index."""
    sql = "EXPLAIN QUERY PLAN SELECT 1 FROM sessions WHERE llm_model = ?"
    plan = foreign.execute(sql, ("m",)).fetchall()
    assert ["sessions_by_llm_model" in row[3] for row in plan] == [True]
