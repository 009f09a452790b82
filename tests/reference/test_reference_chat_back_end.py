"""The chat back end of the page: a server, users who ask for what is not theirs, and an end."""

import json
import re
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "reference.md").read_text("utf-8")
(CODE,) = [
    code
    for code in re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    if "def app(environ" in code
]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        """Nothing on stderr."""


@pytest.fixture
def chat(tmp_path, monkeypatch):
    """What the page defines, with its server running."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = {"__name__": "chat"}
    exec(compile(CODE.partition("\nwith store, upkeep:")[0], "chat.py", "exec"), names)
    chat = SimpleNamespace(**names)
    with chat.store, make_server("127.0.0.1", 0, chat.app, handler_class=_Quiet) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        chat.url = f"http://127.0.0.1:{server.server_port}"
        yield chat
        server.shutdown()
        thread.join()


def ask(chat, user, path, text):
    """The status and the answer."""
    try:
        with urlopen(Request(chat.url + path, text.encode(), {"X-User": user})) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_it_has_about_forty_lines():
    """What the page promises; blank lines do not count."""
    assert len([line for line in CODE.splitlines() if line.strip()]) <= 45


def test_a_chat_is_held_and_found(chat):
    """It is made, answers, and is found by a word of either side, by its owner alone."""
    status, made = ask(chat, "ann", "/chats", "Oslo")
    assert status == 201
    assert ask(chat, "ann", f"/chats/{made}", "Which train?") == (200, "You said: Which train?")
    assert [one.role for one in chat.store.read(made)] == ["user", "assistant"]
    status, found = ask(chat, "ann", "/search", "train")
    assert (status, [one for one, _ in found]) == (200, [made, made])
    assert ask(chat, "bob", "/search", "train") == (200, [])


def test_nobody_speaks_in_the_chat_of_another(chat):
    """It is not there for him, as one that never was."""
    _, made = ask(chat, "ann", "/chats", "Oslo")
    assert ask(chat, "bob", f"/chats/{made}", "hello")[0] == 404
    assert ask(chat, "bob", "/chats/never", "hello")[0] == 404
    assert chat.store.count(made) == 0


def test_a_chat_ends_and_is_kept(chat):
    """Past its limit it takes nothing; the sweep keeps a snapshot of it."""
    _, made = ask(chat, "ann", "/chats", "Oslo")
    assert chat.store.get(made).status == "active"
    ask(chat, "ann", f"/chats/{made}", "hello")
    chat.store.set_limits(made, idle_us=1)
    assert ask(chat, "ann", f"/chats/{made}", "too late")[0] == 410
    assert chat.store.count(made) == 2
    assert chat.store.sweep().expired == (made,)
    assert [one.kind for one in chat.store.snapshots(made)] == ["expiry"]


def test_upkeep_makes_a_backup(chat):
    """What its thread does when it is due, done now."""
    _, made = ask(chat, "ann", "/chats", "Oslo")
    ask(chat, "ann", f"/chats/{made}", "hello")
    assert "backup" in chat.store.maintain(plan=chat.upkeep._plan)
    (backup,) = chat.backups.iterdir()
    chat.store.clear(made)
    chat.store.close()
    chat.store.restore(backup, chat.data)
    with type(chat.store)(chat.data) as again:
        assert again.count(made) == 2
