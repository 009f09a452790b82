"""The example in JavaScript is a correct store, also after a crash."""

import re
import shutil
import subprocess
import threading
import unicodedata
from pathlib import Path

import pytest

from sessionproof.contract.errors import NotFound, NotRepresentable, Refused
from sessionproof.contract.frames import AT
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message
from sessionproof.contract.store import capabilities_of
from sessionproof.host.client import HostedStore, ProcessEnded

SCRIPT = Path(__file__).parents[2] / "examples" / "node" / "store.mjs"
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed (node)")

HOSTILE = [
    "", "'; DROP TABLE x;--", '"', "\\", "../../x", "/etc/passwd", "a\0b", "a\nb", "😀", "\ud83d",
    "\ud83e", "\ufffd", "con", "A", "a", unicodedata.normalize("NFC", "é"),
    unicodedata.normalize("NFD", "é"), "x" * 10_000, "x" * 10_001, "__proto__", "%s{0}", " ",
    "\u2028",
]  # fmt: skip


@pytest.fixture
def opened(tmp_path):
    """Open the location of this test, as often as it likes; every process is gone at the end."""
    stores = []

    def open_again():
        if stores:
            stores[-1].close()
        stores.append(HostedStore([NODE, str(SCRIPT)], Location(tmp_path)))
        return stores[-1]

    yield open_again
    for store in stores:
        store.kill()


def texts(store, session="s"):
    return [message.content for message in store.read(session)]


def test_everything_is_kept(opened):
    """Every field of a message comes back equal, now and after the store was opened again."""
    store = opened()
    messages = [
        Message("user", "x" * 10 * 1024 * 1024),
        Message(
            "tool", {"__proto__": [1, 2.5, -3e-7, {"2": True, "1": None}]}, kind="tool_result",
            name="n", call_id="c", arguments={"\ud83d": "\0"}, tokens=0, duration_us=1,
            created_at_us=-1, id="m", metadata={"": []},
        ),
        Message("assistant", None, kind="tool_call"), Message(None, "\ud83d\u2028\u2029\r\n\\\""),
    ]  # fmt: skip
    assert store.append("s", messages[:1]).seqs == [1]
    assert store.append("s", messages[1:]).seqs == [2, 3, 4]
    assert store.read("s") == messages
    assert opened().read("s") == messages


def test_capabilities_agree_with_reads(opened):
    """Counts, newest messages and pages are parts of what a read answers."""
    store = opened()
    assert capabilities_of(store) == {
        "create", "list", "delete", "clear", "read_last", "page", "count",
    }  # fmt: skip
    all_messages = [Message("user", str(n)) for n in range(7)]
    assert store.create("s", messages=all_messages[:3]) == "s"
    store.append("s", all_messages[3:])
    assert store.count("s") == 7
    assert [store.read_last("s", n) for n in (0, 2, 7, 9)] == [
        [], all_messages[5:], all_messages, all_messages,
    ]  # fmt: skip
    pages, cursor = [], None
    while not pages or cursor is not None:
        page = store.page("s", cursor=cursor, limit=3)
        pages.append([message.content for message in page.messages])
        cursor = page.next
    assert pages == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


def test_sessions_begin_and_end_as_claimed(opened):
    """Deleted and cleared sessions are empty, unknown ones create nothing, ids are unique."""
    store = opened()
    store.append("s", [])
    assert (store.read("s"), store.count("s"), list(store.list())) == ([], 0, [])
    made = store.create(messages=[Message("user", "a")])
    assert list(store.list()) == [made]
    with pytest.raises(Refused):
        store.create(made)
    store.clear(made)
    assert (store.read(made), list(store.list())) == ([], [made])
    assert store.append(made, [Message("user", "b")]).seqs == [1]
    store.delete(made)
    assert (store.read(made), list(store.list())) == ([], [])
    for method in (store.delete, store.clear):
        with pytest.raises(NotFound):
            method(made)
    with pytest.raises(Refused):
        store.append(5, [Message("user", "an id must be a text")])


def test_ids_are_opaque(opened, tmp_path):
    """Any two different ids are different sessions, and no file is written outside."""
    store = opened()
    around = set(tmp_path.parent.iterdir())
    for number, session in enumerate(HOSTILE):
        store.append(session, [Message("user", str(number))])
    store = opened()
    assert [texts(store, session) for session in HOSTILE] == [[str(n)] for n in range(len(HOSTILE))]
    assert sorted(store.list()) == sorted(HOSTILE)
    assert len(list(tmp_path.iterdir())) == len(HOSTILE)
    assert set(tmp_path.parent.iterdir()) == around


def test_numbers_are_never_changed(opened):
    """A number that JavaScript would change is refused, and nothing of its batch is stored."""
    store = opened()
    for number in (1.0, -0.0, 2**53 + 1, 1e16):
        batch = [Message("user", '\\"1.0'), Message("user", "x", metadata={"n": [number]})]
        with pytest.raises(NotRepresentable, match="cannot keep the number"):
            store.append("s", batch)
    assert store.read("s") == []
    kept = [Message("user", '\\"1.0'), Message("user", [0, -1, 2**53, 0.1, 1e-7, 1e300, -2.5e22])]
    store.append("s", kept)
    assert store.read("s") == kept


def test_every_cut_of_the_last_line_is_survived(opened, tmp_path):
    """A crash within an append leaves the batches before it, and the next append goes on.

    A batch that lacks the end of its line alone is whole.
    """
    store = opened()
    batch = [Message("user", "é"), Message("user", "2")]
    store.append("s0", [Message("user", "kept")])
    store.append("s0", batch)
    whole = next(tmp_path.iterdir()).read_bytes()
    cuts = range(whole[:-1].rindex(b"\n") + 1, len(whole) - 1)
    for number in range(1, len(cuts)):
        store.append(f"s{number}", [Message("user", "kept")])
        store.append(f"s{number}", batch)
    store.close()
    for file, cut in zip(sorted(tmp_path.iterdir()), cuts, strict=True):
        file.write_bytes(file.read_bytes()[: cut - len(whole)])
    store = opened()
    for session in store.list():
        assert texts(store, session) == ["kept"]
        assert store.append(session, [Message("user", "next")]).seqs == [2]
    store = opened()
    assert [texts(store, session) for session in store.list()] == [["kept", "next"]] * len(cuts)


def test_zeros_in_the_last_line_are_survived(opened, tmp_path):
    """A last line of which a sector never reached the disk counts as never written."""
    store = opened()
    store.append("s", [Message("user", "kept")])
    store.append("s", [Message("user", "y" * 2000)])
    store.close()
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:600] + b"\0" * 512 + whole[1112:])
    assert texts(opened()) == ["kept"]


def test_damage_before_the_last_line_is_told(opened, tmp_path):
    """What was acknowledged is never left out quietly, and one damaged line hides no other."""
    store = opened()
    for text in "abc":
        store.append("s", [Message("user", text)])
    store.close()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes().replace(b'"b"', b'"b'))
    store = opened()
    assert texts(store) == ["a", "c"]
    store.close()
    assert "line 3 of" in store.stderr_tail()


def test_a_stale_temporary_file_is_no_session(opened, tmp_path):
    """What a crash left beside a file is not read, not listed, and replaced by the next write."""
    store = opened()
    store.append("s", [Message("user", "a")])
    store.close()
    (file,) = tmp_path.iterdir()
    stale = file.with_name(file.name + ".tmp")
    stale.write_text('"s"\n[{"role":"user","content":"never acknowledged"}]\n' * 3)
    store = opened()
    assert (texts(store), list(store.list())) == (["a"], ["s"])
    store.append("s", [Message("user", "b")])
    assert texts(opened()) == ["a", "b"]
    assert not stale.exists()


def test_a_kill_loses_nothing_acknowledged(opened):
    """After SIGKILL in the middle of appends, all acknowledged ones are there, in order."""
    store = opened()
    acknowledged = []
    killer = threading.Timer(0.1, store.kill)
    killer.start()
    with pytest.raises((ProcessEnded, Refused)):
        _append_for_ever(store, acknowledged)
    killer.join()
    seen = texts(opened())
    assert len(acknowledged) > 0
    assert seen in (acknowledged, [*acknowledged, str(len(acknowledged))])


def _append_for_ever(store, acknowledged):
    while True:
        text = str(len(acknowledged))
        store.append("s", [Message("user", text)])
        acknowledged.append(text)


def test_a_failed_write_is_told_and_mended(tmp_path):
    """A disk that is full fails the append; what was kept stays, and the next append goes on."""
    limit = 'ulimit -f 8; trap "" XFSZ; exec "$0" "$@"'
    store = HostedStore(["bash", "-c", limit, NODE, str(SCRIPT)], Location(tmp_path))
    try:
        store.append("s", [Message("user", "kept")])
        with pytest.raises(Exception, match="EFBIG") as told:
            store.append("s", [Message("user", "x" * 100_000)])
        assert re.fullmatch(r"store\.mjs:\d+", vars(told.value)[AT])
        assert texts(store) == ["kept"]
        assert store.append("s", [Message("user", "next")]).seqs == [2]
        store.close()
    finally:
        store.kill()
    (file,) = tmp_path.iterdir()
    assert len(file.read_bytes().splitlines()) == 2


def test_the_readme_names_the_command():
    """The command that the example's README prints names a file that is there."""
    text = SCRIPT.with_name("README.md").read_text("utf-8")
    assert f'sessionproof run "cmd:node {SCRIPT.relative_to(SCRIPT.parents[2])}"' in text
    subprocess.run([NODE, "--check", str(SCRIPT)], check=True, timeout=20)
