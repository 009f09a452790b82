"""What is saved of damaged files: all that can be read, nothing else, and what was lost is told."""

from __future__ import annotations

import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Message, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.contract.seed import generator
from sessionproof.faults.damage.classes import STRUCTURAL, TEXTUAL
from sessionproof.faults.damage.done import Subject
from sessionproof.faults.damage.pages import pages_of
from sessionproof.reference import ReferenceStore
from sessionproof.reference.opening import FILE
from sessionproof.reference.recover import recover
from sessionproof.reference.verify import verify_file

PAGE = 4096
LONG = "long " * 2_000
EVERYTHING = (
    Message("user", "NUL \0 and \ud800 alone", tokens=3, duration_us=5, created_at_us=7, id="own"),
    Message("assistant", None, kind="tool_call", call_id="c", arguments={"q": "é"}, name="find"),
    Message("tool", [1, 1.5, "1"], kind="tool_result", call_id="c", metadata={"a": None}),
    Message("user", LONG),
)

CRASHED = """
import os, sys
from sessionproof import Message
from sessionproof.reference import ReferenceStore
store = ReferenceStore(sys.argv[1])
store.append("s0", [Message("user", "in the log alone")])
os._exit(0)
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """A closed store: three long sessions, one of every kind of message, deletions, state."""
    place = tmp_path_factory.mktemp("sound")
    clock = VirtualClock()
    with ReferenceStore(place, clock=clock) as store:
        store.create("s3", owner="ann", title="Ünï", llm_model="m", metadata={"k": [1]})
        for number in range(60):
            for session in ("s0", "s1", "s2"):
                text = f"<{session}:{number}> " + "x" * 300
                store.append(session, [Message("user", text, tokens=2)])
            clock.move(1_000)
        store.append("s3", EVERYTHING)
        store.set_state("s1", "key", {"deep": [None]})
        store.append("gone", [Message("user", f"gone {n} " + "y" * 900) for n in range(50)])
        store.pop_last("s2")
        store.clear("s4")
        store.create("empty")
    with closing(sqlite3.connect(place / FILE)) as db:  # as where SQLite leaves what it frees
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("DELETE FROM sessions WHERE session_id = 'gone'")
        db.execute("DELETE FROM messages WHERE seq BETWEEN 20 AND 24 AND content LIKE '<s1:%'")
        db.commit()
    assert (place / FILE).read_bytes().count(b"gone 1") > 5
    return place


def contents(place: Path) -> dict[str, object]:
    """All that the public methods show of a store."""
    with ReferenceStore(place) as store:
        return {
            name: (store.get(name), store.read(name), store.get_state(name, "key"))
            for name in store.list()
        }


@pytest.fixture
def damaged(sound, tmp_path) -> Path:
    """A copy of the store's folder, to be damaged."""
    shutil.copytree(sound, tmp_path / "damaged")
    return tmp_path / "damaged"


@pytest.fixture
def saved(tmp_path) -> Path:
    """An empty folder."""
    (tmp_path / "saved").mkdir()
    return tmp_path / "saved"


def changed(place: Path, change: Callable[[bytearray], None]) -> bytes:
    """The file after a change of its bytes."""
    data = bytearray((place / FILE).read_bytes())
    change(data)
    (place / FILE).write_bytes(data)
    return bytes(data)


def zeroed(place: Path, *numbers: int) -> None:
    """Make pages all zeros."""

    def change(data: bytearray) -> None:
        for number in numbers:
            data[(number - 1) * PAGE : number * PAGE] = bytes(PAGE)

    changed(place, change)


def pages(place: Path, use: str) -> list[int]:
    """The numbers of the pages with this use, as "leaf of messages"."""
    return [page.number for page in pages_of((place / FILE).read_bytes()) if page.use == use]


def test_an_undamaged_file_is_saved_whole(sound, saved):
    """Every field, counter, state, gap and id of an undamaged store comes back, nothing is lost."""
    told = recover(sound, saved)
    assert told.lost == ()
    assert contents(saved) == contents(sound)
    assert (told.sessions, told.messages) == (5, 60 + 55 + 59 + 4)
    assert verify_file(saved).problems == ()
    assert stat.S_IMODE((saved / FILE).stat().st_mode) == 0o600
    assert [path.name for path in saved.iterdir()] == [FILE]


def test_a_lost_page_costs_its_messages_alone(damaged, sound, saved):
    """The messages of a zeroed page are named by their numbers, and all others are saved."""
    zeroed(damaged, pages(damaged, "leaf of messages")[3])
    told = recover(damaged, saved)
    before, after = contents(sound), contents(saved)
    lost = sum(len(before[name][1]) - len(after[name][1]) for name in before)
    assert told.messages == 178 - lost
    assert 0 < lost < 15
    assert all("message" in one and "lost" in one for one in told.lost)
    for name in before:
        assert all(one in before[name][1] for one in after[name][1])
        for missing in before[name][1]:
            number = int(str(missing.id).rpartition(".")[2]) if "." in str(missing.id) else 0
            if missing not in after[name][1]:
                assert any(_names(one, name, number) for one in told.lost), (name, number)


def _names(sentence: str, session: str, number: int) -> bool:
    """Whether a sentence names the message of the session, alone or in a range."""
    told = re.fullmatch(r"session '(\w+)': messages? (.+) (?:is|are) lost", sentence)
    if told is None or told[1] != session:
        return False
    spans = [part.split("–") for part in told[2].split(", ")]
    return any(int(span[0]) <= number <= int(span[-1]) for span in spans)


def test_numbers_are_not_given_again(damaged, saved):
    """The number of a message that was lost, or deleted, is not the next one."""
    zeroed(damaged, pages(damaged, "leaf of messages")[-2])
    recover(damaged, saved)
    with ReferenceStore(saved) as store:
        assert store.append("s2", [Message("user", "next")]).seqs == (61,)
        assert store.append("s0", [Message("user", "next")]).seqs == (61,)


@pytest.mark.parametrize(
    "use",
    ["interior of messages", "index of sqlite_autoindex_messages_1", "header and schema", "free"],
)
def test_pages_without_messages_cost_nothing(damaged, sound, saved, use):
    """Interior pages, indexes, the header, free pages and the map are made anew."""
    for number in pages(damaged, use):
        zeroed(damaged, number)
    recover(damaged, saved)
    assert contents(saved) == contents(sound)


def test_the_rows_of_sessions_are_made_anew(damaged, sound, saved):
    """Sessions whose rows are lost keep names and messages; what else they had is told."""
    (leaf,) = pages(damaged, "leaf of sessions")
    zeroed(damaged, leaf)
    told = recover(damaged, saved)
    before, after = contents(sound), contents(saved)
    assert after.keys() == before.keys()
    assert [one.content for one in after["s0"][1]] == [one.content for one in before["s0"][1]]
    assert len(told.lost) == 5
    assert all("its row cannot be read; it was made anew" in one for one in told.lost)


def test_sessions_without_a_name_get_one(damaged, sound, saved):
    """Where the index of the names is lost, too, the messages of each session stay together."""
    zeroed(
        damaged,
        *pages(damaged, "leaf of sessions"),
        *pages(damaged, "index of sqlite_autoindex_sessions_1"),
    )
    told = recover(damaged, saved)
    before, after = contents(sound), contents(saved)
    assert all(name.startswith("recovered-") for name in after)
    assert sorted(len(one[1]) for one in after.values()) == [4, 55, 59, 60]
    texts = [[message.content for message in one[1]] for one in after.values()]
    assert [message.content for message in before["s0"][1]] in texts
    assert told.lost


def test_what_was_deleted_stays_deleted(damaged, sound, saved):
    """Freed pages are no data, even where their content, the map and the list contradict."""
    free = pages(damaged, "free")
    assert free
    for number in free:
        changed(damaged, lambda data, at=(number - 1) * PAGE: data.__setitem__(at, 13))
    changed(damaged, lambda data: data.__setitem__(slice(32, 40), bytes(8)))
    recover(damaged, saved)
    assert contents(saved) == contents(sound)


@pytest.mark.parametrize("at", [0, 1, 3, 5, 7])
def test_freed_cells_are_no_data(damaged, sound, saved, at):
    """Where the heads of pages are damaged, the index says which cells are messages."""
    leaves = pages(damaged, "leaf of messages")
    for number in leaves:
        place = (number - 1) * PAGE + at
        changed(damaged, lambda data, place=place: data.__setitem__(place, data[place] ^ 0x15))
    told = recover(damaged, saved)
    before, after = contents(sound), contents(saved)
    for name, (_, messages, _) in after.items():
        assert messages == [one for one in before[name][1] if one in messages]
    assert told.messages > 150


def test_changed_content_is_not_saved(damaged, sound, saved):
    """A message whose digest belies it is lost and told, and not saved as what it is not."""
    at = (damaged / FILE).read_bytes().find(b"<s1:30> x")
    changed(damaged, lambda data: data.__setitem__(slice(at + 8, at + 20), b"y" * 12))
    told = recover(damaged, saved)
    assert told.lost == ("session 's1': message 31 is lost",)
    before, after = contents(sound)["s1"][1], contents(saved)["s1"][1]
    assert [one.id for one in after] == [one.id for one in before if "<s1:30>" not in one.content]


def test_a_changed_name_is_put_right(damaged, sound, saved):
    """A session whose name changed in its row has the one of the index, by its sum."""
    (leaf,) = pages(damaged, "leaf of sessions")
    at = (damaged / FILE).read_bytes().find(b"empty", (leaf - 1) * PAGE)
    changed(damaged, lambda data: data.__setitem__(at, ord("E")))
    assert recover(damaged, saved).lost == ()
    assert contents(saved) == contents(sound)


def test_what_changed_of_a_session_is_told(damaged, saved):
    """An owner that changed by itself stays as it is, and is told; a changed value is left out."""
    for old, new in (("ann", "anx"), ('{"deep":[null]}', '{"deep":[nuXl]}')):
        at = (damaged / FILE).read_bytes().find(old.encode())
        changed(
            damaged,
            lambda data, at=at, new=new: data.__setitem__(
                slice(at, at + len(new.encode())), new.encode()
            ),
        )
    told = recover(damaged, saved)
    assert told.lost == (
        "session 's3': what is kept of it was changed, and stays as it is",
        "session 's1': the value of 'key' was changed, and is left out",
    )
    assert verify_file(saved).problems == ()


def test_the_log_is_read(sound, saved, tmp_path):
    """Messages that a crash left in the log alone are saved; the log stays as it was."""
    shutil.copytree(sound, tmp_path / "crashed")
    subprocess.run([sys.executable, "-c", CRASHED, tmp_path / "crashed"], check=True)
    before = {path.name: path.read_bytes() for path in (tmp_path / "crashed").iterdir()}
    assert before[f"{FILE}-wal"]
    told = recover(tmp_path / "crashed", saved)
    assert told.messages == 179
    with ReferenceStore(saved) as store:
        assert store.read("s0")[-1].content == "in the log alone"
    assert {path.name: path.read_bytes() for path in (tmp_path / "crashed").iterdir()} == before


def test_a_log_of_an_older_time_is_left_out(sound, saved, tmp_path):
    """A stale log that SQLite would merge is recognised by the numbers, left out, and told."""
    shutil.copytree(sound, tmp_path / "older")
    subprocess.run([sys.executable, "-c", CRASHED, tmp_path / "older"], check=True)
    log = (tmp_path / "older" / f"{FILE}-wal").read_bytes()
    shutil.copytree(sound, tmp_path / "newer")
    with ReferenceStore(tmp_path / "newer") as store:
        for number in range(30):
            store.append("s0", [Message("user", f"newer {number}" + "z" * 300)])
    (tmp_path / "newer" / f"{FILE}-wal").write_bytes(log)
    told = recover(tmp_path / "newer", saved)
    assert told.messages == 178 + 30
    assert "the log beside the file" in told.lost[0]


def test_files_of_earlier_releases_are_read(saved, tmp_path):
    """A row without a digest cannot be verified, and is saved as it is."""
    with ReferenceStore(tmp_path) as store:
        store.append("s", [Message("user", "old"), Message("user", "older")])
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("UPDATE messages SET digest = NULL")
        db.execute("DROP TRIGGER messages_after_rewrite")
        db.execute("PRAGMA user_version = 2")
        db.commit()
    assert recover(tmp_path, saved).lost == ()
    with ReferenceStore(saved) as store:
        assert [one.content for one in store.read("s")] == ["old", "older"]


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"no database at all " * 500, bytes(40_960)],
    ids=["empty", "byte", "text", "zeros"],
)
def test_files_without_a_store_are_refused(saved, tmp_path, content):
    """Where nothing can be saved, one line says so, and nothing is made."""
    (tmp_path / "other.db").write_bytes(content)
    with pytest.raises(Refused, match="nothing of a store of ours can be read in it"):
        recover(tmp_path / "other.db", saved)
    assert not [*saved.iterdir()]
    assert (tmp_path / "other.db").read_bytes() == content


def test_nothing_is_overwritten(damaged, sound, saved):
    """A directory with a database, or one in use, is refused, and a dry run makes nothing."""
    assert recover(damaged, saved, dry_run=True).messages == 178
    assert not [*saved.iterdir()]
    with pytest.raises(Refused, match="recover into an empty directory"):
        recover(damaged, damaged)
    with pytest.raises(Refused, match="does not exist"):
        recover(damaged / "nowhere", saved)
    with pytest.raises(Refused, match="is no directory"):
        recover(damaged, saved / "nowhere")
    with ReferenceStore(damaged), pytest.raises(Refused, match="in use"):
        recover(damaged, saved)
    assert not [*saved.iterdir()]


@pytest.mark.parametrize("damage", [*STRUCTURAL, *TEXTUAL], ids=lambda one: one.name)
def test_every_class_of_damage(damaged, sound, saved, damage):
    """Nothing is invented, what is lost is told, and what was saved is in order."""
    if damage.needs not in ("database", "any", "text"):
        pytest.skip("not of a closed database")
    subject = Subject(folder=damaged, file=FILE, tokens=(b"<s0:7>", b"<s2:40>"))
    if damage.apply(subject, generator(3, damage.name)) is None:
        pytest.skip("the file has no such place")
    was = {path.name: path.read_bytes() for path in damaged.iterdir()}
    told = recover(damaged, saved)
    assert {path.name: path.read_bytes() for path in damaged.iterdir()} == was
    before = {name: [m.content for m in one[1]] for name, one in contents(sound).items()}
    after = {name: [m.content for m in one[1]] for name, one in contents(saved).items()}
    for name, texts in after.items():
        assert texts == [text for text in before[name] if text in texts]
    assert told.messages == sum(map(len, after.values()))
    assert told.lost or after == before
    assert verify_file(saved).problems == ()


@pytest.mark.parametrize("tree", ["sqlite_autoindex_messages_1", "sqlite_autoindex_sessions_1"])
def test_a_page_of_another_tree_in_the_place_of_an_index_hides_nothing(damaged, sound, saved, tree):
    """Such a page is sound by itself: the index is lost, and not empty."""
    with closing(sqlite3.connect(damaged / FILE)) as db:
        sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (root,) = db.execute(sql, (tree,)).fetchone()
    first, *_ = pages(damaged, "leaf of messages")
    data = bytearray((damaged / FILE).read_bytes())
    data[(root - 1) * PAGE : root * PAGE] = data[(first - 1) * PAGE : first * PAGE]
    (damaged / FILE).write_bytes(data)
    recover(damaged, saved)
    assert contents(saved) == contents(sound)
    assert verify_file(saved).problems == ()
