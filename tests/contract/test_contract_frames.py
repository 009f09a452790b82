"""The line of a store that raised."""

import json
import linecache
import sqlite3
import sys

import pytest

from sessionproof.contract.frames import frame_of, frame_said
from sessionproof.oracle.memory import MemoryStore


def raised(call):
    """What it raises."""
    with pytest.raises(BaseException) as caught:
        call()
    error = caught.value
    error.__traceback__ = error.__traceback__.tb_next  # as it is caught where it was called
    return error


def without_this_file(error):
    """The error as if a line of the harness had called."""
    error.__traceback__ = error.__traceback__.tb_next
    return error


def installed(tmp_path, text, name="chats"):
    """The functions of a module of this text; in ``site-packages`` if the name says so."""
    file = tmp_path / f"{name}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    space = {}
    exec(compile(text, str(file), "exec"), space)
    return space


def test_the_innermost_own_line_is_named_with_its_text(tmp_path, monkeypatch):
    """Not that of the caller, nor those of the standard library below it."""
    text = (
        "import json\ndef load(text):\n    return   json.loads(text)\ndef read():\n    load('{')\n"
    )
    read = installed(tmp_path, text)["read"]
    assert frame_of(raised(read)) == "chats.py:3: return json.loads(text)"
    monkeypatch.chdir(tmp_path.parent)
    elsewhere = installed(tmp_path, text, name="stores/chats")["read"]
    assert frame_of(raised(elsewhere)) == (
        f"{tmp_path.name}/stores/chats.py:3: return json.loads(text)"
    )


def test_a_long_line_is_cut_and_one_that_is_gone_has_its_number(tmp_path):
    """A line of a minified file is no line of a terminal."""
    long = installed(tmp_path, f"def read():\n    raise ValueError('{'x' * 200}')\n", "long")
    told = frame_of(raised(long["read"]))
    assert told.startswith("long.py:2: raise ValueError('xxx")
    assert len(told) < 120
    assert told.endswith("…")
    gone = installed(tmp_path, "def read():\n    raise ValueError\n", "gone")
    (tmp_path / "gone.py").unlink()
    assert frame_of(raised(gone["read"])) == "gone.py:2"


def test_a_store_of_a_library_is_named_by_its_package(tmp_path):
    """The innermost line of the package that was called first, not of the driver below it."""
    driver = installed(tmp_path, "def run():\n    1 / 0\n", "site-packages/driver/core")["run"]
    text = "\ndef append(run):\n    run()\n"
    append = installed(tmp_path, text, "site-packages/chatlib/memory/store")["append"]
    error = without_this_file(raised(lambda: append(driver)))
    assert frame_of(error) == "chatlib/memory/store.py:3"


def test_a_store_of_the_harness_is_named_too(tmp_path):
    """Where nothing else is there: adapters, the reference."""
    error = without_this_file(raised(lambda: MemoryStore(tmp_path).read_last("none", "x")))
    assert frame_of(error).startswith("sessionproof/oracle/")


@pytest.mark.parametrize("call", [lambda: json.loads("{"), lambda: sqlite3.connect(3, 4, 5, 6, 7)])
def test_what_has_no_own_frame_has_no_line(call):
    """The standard library alone is nobody's store."""
    error = without_this_file(raised(call))
    assert frame_of(error) == ""
    assert frame_of(ValueError("never raised")) == ""


def test_nothing_of_a_hostile_error_is_run():
    """Its own attributes may be its code."""

    class Hostile(Exception):
        def __getattribute__(self, name):
            sys.exit("looked at")

    def read():
        raise Hostile

    told = None
    try:
        read()
    except Hostile as error:
        told = frame_of(error)
    line = read.__code__.co_firstlineno + 1
    assert told.endswith(f"test_contract_frames.py:{line}: raise Hostile")


def test_what_another_process_says_is_a_short_text():
    """It may say anything."""
    assert frame_said("chats.py:3") == "chats.py:3"
    assert [frame_said(odd) for odd in (None, 3, ["chats.py"])] == ["", "", ""]
    assert len(frame_said("x" * 10_000)) < 1_000


def test_each_line_is_read_once(tmp_path, monkeypatch):
    """A busy store fails thousands of times."""
    error = raised(installed(tmp_path, "def read():\n    raise ValueError('no')\n", "many")["read"])
    asked = []
    getline = linecache.getline
    monkeypatch.setattr(linecache, "getline", lambda *at: asked.append(at) or getline(*at))
    assert len({frame_of(error) for _ in range(100)}) == len(asked) == 1
