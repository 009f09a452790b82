"""What a client records is what is loaded, whatever the sizes of files and shards."""

import errno
import os
import shutil
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionproof.contract.message import Message
from sessionproof.history import files, slots
from sessionproof.history.columns import MISSING, NEVER, NONE, F, Phase, Type, digest_of
from sessionproof.history.files import HistoryError
from sessionproof.history.journal import Journal
from sessionproof.history.tokens import text_of

WHOLE = (F.READ, F.PAGES)
ids = st.integers(1, 2**64 - 1)
texts = st.one_of(ids.map(text_of), st.text(max_size=5))
operations = st.lists(
    st.tuples(
        st.sampled_from(F),
        st.integers(0, 4),  # session
        st.integers(0, 256),  # n
        st.sampled_from(Phase),
        st.one_of(
            st.tuples(
                st.sampled_from(Type),
                st.integers(-1, 9),
                st.integers(-1, 2**62),
                st.sampled_from(["", "Busy: database is locked", "Odd: \ud800\n"]),
            ),
            st.lists(ids, max_size=6),
            st.lists(texts, max_size=6),
            st.none(),  # it never answers
        ),
    ),
    max_size=60,
)


def recorded(folder, operations, *, client=3, **options):
    """Record the operations as one client; what the rows should say."""
    expected = []
    with Journal(folder, client, **options) as journal:
        for number, (f, session, n, phase, end) in enumerate(operations, start=1):
            slot = journal.invoke(f, session, number << 8, n, phase)
            row = {
                "id": number << 8, "client": client, "session": session, "n": n, "f": f,
                "phase": phase, "type": Type.INFO, "length": 0, "value": NONE, "error": "",
                "ids": None,
            }  # fmt: skip
            if isinstance(end, tuple):
                row["type"], length, value, row["error"] = end
                journal.complete(slot, *end)
                if end[0]:
                    row |= {"length": length, "value": value}
            elif end is not None:
                read = list(end)
                journal.answered(slot, read)
                read.append("a store that goes on using its list")
                row |= {"type": Type.OK, "length": len(end), "ids": ids_of(end)}
            expected.append(row)
    return expected


def ids_of(read):
    """The ids in plain Python: those of texts are known from all that was sent."""
    out = []
    for one in read:
        number = one
        if isinstance(one, str):
            head = one.partition(" ")[0][1:]
            try:
                number = int(head, 16)
            except ValueError:
                number = 0
            number = number if number < 2**64 and one == text_of(number) else 0
        out.append(number)
    return out


def assert_same(history, expected):
    """Each row says what happened, and each list that was kept is the answer."""
    places = {int(row["id"]): at for at, row in enumerate(history.rows)}
    assert sorted(places) == sorted(row["id"] for row in expected)
    assert len(history) == len(expected)
    for want in expected:
        at = places[want["id"]]
        row = history.rows[at]
        for name in ("client", "session", "n", "f", "phase", "type", "length", "value"):
            assert row[name] == want[name], name
        assert history.errors[row["error"]] == want["error"]
        assert (row["ret"] == NEVER) == (want["type"] is Type.INFO)
        assert 0 < row["inv"] <= row["ret"]
        numbers = want["ids"] or []
        assert row["digest"] == digest_of(np.array(numbers, np.uint64))
        assert row["last"] == (numbers[-1] if numbers else 0)
        kept = history.lists.of(at)
        assert kept is None or kept.tolist() == want["ids"]
        if want["ids"] is not None:
            always = want["phase"] is Phase.FINAL or want["f"] is F.READ_LAST or 0 in numbers
            assert kept is not None or not always
    assert {row for row, _ in history.odd} == {
        places[one["id"]] for one in expected if 0 in (one["ids"] or [])
    }


@settings(max_examples=60, deadline=None)
@given(
    operations=operations,
    rows=st.sampled_from([1, 2, 7, 1_000]),
    shards=st.integers(1, 3),
    every=st.sampled_from([1, 3, 1_000]),
)
def test_what_is_recorded_is_loaded(tmp_path_factory, operations, rows, shards, every):
    """Any operations, in files of any size: the rows, errors and answers are the same."""
    folder = tmp_path_factory.mktemp("journals")
    expected = recorded(folder, operations, rows=rows, shards=shards, every=every)
    history = files.load(folder)
    assert_same(history, expected)
    if every == 1:
        reads = [one for one in expected if one["ids"] is not None]
        assert len(history.lists.row) == len(reads)
    parts = list(files.shards(folder))
    assert sum(map(len, parts)) == len(expected)
    for number, part in enumerate(parts):
        mine = [one for one in expected if one["session"] % len(parts) == number]
        assert_same(part, mine)


@settings(max_examples=60, deadline=None)
@given(
    reads=st.lists(
        st.tuples(
            st.sampled_from([F.READ, F.PAGES, F.READ_LAST]),
            st.integers(0, 1),
            st.lists(st.integers(1, 2), max_size=4),
        ),
        max_size=30,
    ),
    settled=st.sets(st.integers(0, 29), max_size=5),
)
def test_a_surprise_is_kept(tmp_path_factory, reads, settled):
    """A read that does not extend the client's last one of the session is kept, any other not."""
    folder = tmp_path_factory.mktemp("journals")
    last, surprising = {}, []
    with Journal(folder, 0) as journal:
        for number, (f, session, answer) in enumerate(reads):
            journal.answered(journal.invoke(f, session, number + 1 << 8), answer)
            if number in settled:
                journal.settle()
            if f in WHOLE:
                before = last.get(session, [])
                surprising += [number] if answer[: len(before)] != before else []
                last[session] = answer
            else:
                surprising.append(number)
    history = files.load(folder)
    assert (history.rows["id"][history.lists.row] >> 8).tolist() == [one + 1 for one in surprising]


def test_each_so_manieth_read_is_kept(tmp_path):
    """A read that is no surprise is kept in its turn, also across files and settlings."""
    with Journal(tmp_path, 0, rows=4, every=3) as journal:
        for number in range(1, 11):
            journal.answered(journal.invoke(F.READ, 0, number << 8), [5] * number)
            if number % 2:
                journal.settle()
    history = files.load(tmp_path)
    assert sorted(history.rows["id"][history.lists.row] >> 8) == [3, 6, 9]


def test_messages_give_their_texts(tmp_path):
    """A message is known by its content; one that has no text, or a wrong one, is odd."""
    read = [Message("user", text_of(512)), Message("user", {"a": 1}), Message("user", "x" * 900)]
    with Journal(tmp_path, 0) as journal:
        journal.answered(journal.invoke(F.READ, 0, 256), read)
    history = files.load(tmp_path)
    assert history.lists.of(0).tolist() == [512, 0, 0]
    assert history.odd == ((0, "(dict, not a text)"), (0, "x" * 500))


def test_of_a_strange_answer_some_texts_are_kept(tmp_path):
    """The first sixteen odd texts of each read, and no more: a history stays small."""
    strange = [f"strange {number}" for number in range(20)]
    with Journal(tmp_path, 0) as journal:
        journal.answered(journal.invoke(F.READ, 0, 256), strange)
        journal.answered(journal.invoke(F.READ, 0, 512), [*strange[:2], text_of(768)])
    history = files.load(tmp_path)
    assert history.odd == (
        *((0, text) for text in strange[:16]),
        *((1, text) for text in strange[:2]),
    )
    assert history.rows["length"].tolist() == [20, 3]


@pytest.mark.parametrize("option", ["rows", "shards", "every"])
def test_sizes_of_a_journal_are_at_least_one(tmp_path, option):
    """The mistake is told before anything is written."""
    with pytest.raises(ValueError, match=option):
        Journal(tmp_path / "none", 0, **{option: 0})
    assert not (tmp_path / "none").exists()


def test_a_sealed_file_keeps_its_name(tmp_path):
    """A second journal of the client never takes the name of a sealed one, which would hide it."""
    for number in (1, 3):
        with Journal(tmp_path, 0, rows=1) as journal:
            for first in (number, number + 1):
                journal.complete(journal.invoke(F.APPEND, 0, first << 8, 1), Type.OK)
    assert sorted(files.load(tmp_path).rows["id"] >> 8) == [1, 2, 3, 4]


def test_an_answer_waits_until_it_is_settled(tmp_path):
    """A read that was not settled yet never answered; what waits is bounded."""
    with Journal(tmp_path, 0) as journal:
        journal.answered(journal.invoke(F.READ, 0, 256), [1])
        waiting = files.load(tmp_path).rows[0]
        assert (waiting["type"], waiting["ret"]) == (Type.INFO, NEVER)
        journal.settle()
        assert files.load(tmp_path).rows[0]["type"] == Type.OK
        journal.answered(journal.invoke(F.READ, 0, 512), [1])
        journal.answered(journal.invoke(F.READ, 0, 768), range(1, 40_000))
        assert (files.load(tmp_path).rows["type"] == Type.OK).all()


def test_a_client_goes_on_under_a_new_number(tmp_path):
    """What follows an unknown outcome has the new number; the unknown one keeps the old."""
    with Journal(tmp_path, 1) as journal:
        journal.complete(journal.invoke(F.APPEND, 0, 256, 1), Type.INFO, error="Lost: it")
        journal.renew(9)
        journal.complete(journal.invoke(F.APPEND, 0, 512, 1), Type.OK)
    history = files.load(tmp_path)
    assert history.rows["client"].tolist() == [1, 9]
    assert history.rows["ret"][0] == NEVER
    assert history.errors[history.rows["error"][0]] == "Lost: it"


def test_an_operation_may_begin_again(tmp_path):
    """The times of pages are those of the last one."""
    with Journal(tmp_path, 1) as journal:
        slot = journal.invoke(F.PAGES, 0, 256, 2)
        first = int(files.load(tmp_path).rows["inv"][0])
        journal.again(slot)
        journal.answered(slot, [1, 2])
    (row,) = files.load(tmp_path).rows
    assert first < row["inv"] <= row["ret"]


def test_many_errors_keep_their_kinds(tmp_path):
    """Errors that all differ do not fill memory: later ones are told by their first words."""
    with Journal(tmp_path, 1) as journal:
        for number in range(1, 3_001):
            kind = "Busy" if number <= 1_500 else f"Kind{number}"
            error = f"{kind}: number {number}"
            journal.complete(journal.invoke(F.APPEND, 0, number << 8), Type.FAIL, error=error)
    history = files.load(tmp_path)
    said = [history.errors[code] for code in history.rows["error"]]
    assert said[999] == "Busy: number 1000"
    assert said[1_000] == "Busy: …"
    assert said[1_500] == "Kind1501: …"
    assert said[-1] == "…"


def test_clients_write_beside_each_other(tmp_path):
    """Journals of any number of clients, some of the same number, are one history."""
    journals = [Journal(tmp_path, client, rows=3) for client in (0, 1, 1)]
    for number in range(1, 31):
        journal = journals[number % 3]
        slot = journal.invoke(F.COUNT, number % 4, number << 8)
        journal.complete(slot, Type.OK, length=MISSING, error=f"kind {number % 5}")
    for journal in journals:
        journal.close()
        journal.close()  # a second time does nothing
    files.name_sessions(tmp_path, ["a", "b"])
    history = files.load(tmp_path)
    assert sorted(history.rows["id"] >> 8) == list(range(1, 31))
    for row in history.rows:
        assert history.errors[row["error"]] == f"kind {(int(row['id']) >> 8) % 5}"
    assert history.sessions == ("a", "b", "session 2", "session 3")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    """The error names the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match=r"file.*cannot be written") as error:
        Journal(tmp_path / "file", 0)
    assert "\n" not in str(error.value)


def test_a_full_disk_keeps_what_was_recorded(tmp_path, monkeypatch):
    """Where a file cannot grow the error is one line, and all that was recorded is there."""
    journal = Journal(tmp_path, 0)
    journal.answered(journal.invoke(F.READ, 0, 256), [1, 2])

    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    for number in range(2, 1_001):
        journal.complete(journal.invoke(F.APPEND, 0, number << 8), Type.OK)
    with pytest.raises(HistoryError, match="No space left"):
        journal.invoke(F.APPEND, 0, 1_001 << 8)
    journal.close()
    history = files.load(tmp_path)
    assert len(history) == 1_000
    assert (history.rows["type"] == Type.OK).all()
    assert history.rows["length"][0] == 2


def test_a_file_system_that_cannot_reserve_will_do(tmp_path, monkeypatch):
    """Then the file has holes, and is the same otherwise."""

    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with Journal(tmp_path, 0) as journal:
        journal.complete(journal.invoke(F.APPEND, 0, 256), Type.OK)
    assert len(files.load(tmp_path)) == 1


def test_a_system_that_cannot_reserve_will_do(tmp_path, monkeypatch):
    """Where there is no call for it at all, as on macOS, the file has holes too."""
    monkeypatch.delattr(os, "posix_fallocate")
    with Journal(tmp_path, 0) as journal:
        for number in range(1, 1_003):  # so many that it grows
            journal.complete(journal.invoke(F.APPEND, 0, number << 8), Type.OK)
    assert len(files.load(tmp_path)) == 1_002


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (slots.SIZE - 8, slots.VERSION + 1, "newer sessionproof: update"),
        (slots.SIZE - 4, slots.SIZE + 8, "cut short"),
        (0, 0, "no journal"),
    ],
)
def test_a_journal_with_another_header_is_refused(tmp_path, at, value, words):
    """Rows of another form are never read as ours; the line says what to do."""
    with Journal(tmp_path, 0) as journal:
        journal.complete(journal.invoke(F.APPEND, 0, 256), Type.OK)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, at, value)
    path.write_bytes(data)
    with pytest.raises(HistoryError, match=words):
        files.load(tmp_path)


def test_a_journal_cut_within_a_row_is_refused(tmp_path):
    """A process that is killed leaves whole rows: less of one is a damaged file."""
    with Journal(tmp_path, 0) as journal:
        for number in (1, 2):
            journal.complete(journal.invoke(F.APPEND, 0, number << 8), Type.OK)
    (path,) = tmp_path.iterdir()
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(HistoryError, match="cut short"):
        files.load(tmp_path)


def test_a_folder_that_goes_away_is_one_line(tmp_path):
    """What is not settled yet is lost with the folder, and nothing stays open."""
    journal = Journal(tmp_path / "gone", 0)
    journal.answered(journal.invoke(F.READ, 0, 256, phase=Phase.FINAL), [1, 2])
    shutil.rmtree(tmp_path / "gone")
    with pytest.raises(HistoryError, match="cannot be written"):
        journal.close()
    journal.close()
