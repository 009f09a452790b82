"""A handle that is closed, or was forked, refuses every operation in one clear line."""

from __future__ import annotations

import asyncio
import inspect
import os
from pathlib import Path

import pytest

from sessionproof import Refused
from sessionproof.reference import AsyncReferenceStore, ReferenceStore

# Source, as the child of a fork runs the same calls in a process of its own.
SOURCE = """
from sessionproof import Message, Step

SAID = [Message("user", "x")]
CALLS = {
    "add_llm_model": ("m",),
    "append": ("s", SAID),
    "append_with_state": ("s", SAID, {"k": 1}),
    "backup": (FOLDER,),
    "clear": ("s",),
    "compare_snapshots": ("snapshot",),
    "count": ("s",),
    "create": (),
    "delete": ("s",),
    "delete_llm_model": ("m",),
    "delete_message": ("s", "id"),
    "edit_message": ("s", "id", SAID[0]),
    "export_sessions": (FOLDER + "/exported.jsonl",),
    "get": ("s",),
    "get_state": ("s", "k"),
    "health": (),
    "import_sessions": (FOLDER + "/to-import.jsonl",),
    "largest_sessions": (),
    "list": (),
    "maintain": (),
    "page": ("s",),
    "pop_last": ("s",),
    "read": ("s",),
    "read_last": ("s", 1),
    "read_snapshot": ("snapshot",),
    "recent_sessions": (),
    "remove_snapshot": ("snapshot",),
    "replace": ("s", SAID),
    "restore_snapshot": ("snapshot",),
    "search": ("x",),
    "search_sessions": ("x",),
    "session_statistics": (),
    "sessions_at_timeout": (),
    "set_limits": ("s",),
    "set_llm_model": ("s", "m"),
    "set_state": ("s", "k", 1),
    "set_status": ("s", "paused"),
    "slow_responses": (),
    "snapshot": ("s",),
    "snapshots": (),
    "sweep": (),
    "token_use": (),
    "touch": ("s",),
    "transact": ([Step("s", SAID), Step("s")],),
    "update": ("s",),
    "verify": (),
}
OPTIONS = {
    "slow_responses": {"least_us": 1},
    "update": {"title": "t"},
}
"""
FORKED = """
import asyncio, os, sys
from pathlib import Path

from sessionproof import Refused
from sessionproof.reference import AsyncReferenceStore, ReferenceStore

FOLDER = sys.argv[1]
exec(Path(FOLDER, "calls.py").read_text())


def refusals(store):
    for name, arguments in CALLS.items():
        try:
            answer = getattr(store, name)(*arguments, **OPTIONS.get(name, {}))
            if asyncio.iscoroutine(answer):
                asyncio.run(answer)
            yield name, "it answered"
        except Refused as error:
            yield name, str(error)


store, other = ReferenceStore(FOLDER), AsyncReferenceStore(FOLDER)
store.append("s", SAID)
asyncio.run(other.append("s", SAID))
sys.stdout.flush()
child = os.fork()
if child == 0:
    for one in (store, other):
        for name, told in refusals(one):
            if "forked" not in told or "\\n" in told:
                print(name, told, flush=True)
    store.close()
    asyncio.run(other.close())
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert store.count("s") == 2
store.close()
asyncio.run(other.close())
"""
NO_HANDLE = {"migrate", "recover", "repair", "restore", "rollback"}  # they are about directories
NAMES = {name for name, _ in inspect.getmembers(ReferenceStore, callable) if name[0] != "_"}


def calls_of(folder: Path):
    """Every operation of a handle with arguments that would do."""
    (folder / "other").mkdir()
    with ReferenceStore(folder / "other") as other:
        other.create("imported")
        other.export_sessions(folder / "to-import.jsonl")
    names = {"FOLDER": str(folder)}
    exec(SOURCE, names)
    return names["CALLS"], names["OPTIONS"]


def test_every_operation_is_tried(tmp_path: Path):
    """A new method of the store needs a line here."""
    assert set(calls_of(tmp_path)[0]) == NAMES - NO_HANDLE - {"close", "tables"}


def test_after_close_everything_is_refused(tmp_path: Path):
    """Nothing hangs, answers, or shows an error of SQLite's."""
    calls, options = calls_of(tmp_path)
    store = ReferenceStore(tmp_path)
    store.append("s", calls["append"][1])
    store.close()
    before = sorted(path.name for path in tmp_path.iterdir())
    for name, arguments in calls.items():
        with pytest.raises(Refused, match=r"^[^\n]*the store is closed[^\n]*$"):
            getattr(store, name)(*arguments, **options.get(name, {}))
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_after_close_everything_is_refused_to_tasks(tmp_path: Path):
    """The same with ``await``."""
    calls, options = calls_of(tmp_path)

    async def main() -> None:
        store = AsyncReferenceStore(tmp_path)
        await store.close()
        for name, arguments in calls.items():
            with pytest.raises(Refused, match="the store is closed"):
                await getattr(store, name)(*arguments, **options.get(name, {}))

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork_everything_is_refused(tmp_path: Path, run_apart):
    """The child prints what was not refused; the parent goes on."""
    calls_of(tmp_path)
    (tmp_path / "calls.py").write_text(SOURCE)
    assert run_apart(FORKED) == ""


def test_what_is_about_directories_needs_no_open_handle(tmp_path: Path):
    """They are asked of any handle, also a closed one."""
    store = ReferenceStore(tmp_path)
    store.close()
    assert store.repair(tmp_path).changes == ()
