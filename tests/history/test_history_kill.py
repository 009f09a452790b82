"""A client that is killed leaves a history in which what was complete is complete."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sessionproof.history import files
from sessionproof.history.columns import NEVER, F, Type
from sessionproof.history.files import HistoryError
from sessionproof.history.journal import Journal
from sessionproof.history.slots import BEGIN, END, END_AT, SIZE, SLOT

KILLED = Path(__file__).with_name("history_killed.py")


def test_a_kill_loses_nothing_that_was_complete(tmp_path):
    """Thirty children are killed anywhere: rows neither lost nor doubled, one in flight at most."""
    ended = subprocess.run(
        [sys.executable, KILLED, tmp_path, "7", "30"], check=False, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert sum(json.loads(ended.stdout).values()) == 30


def test_what_makes_a_row_count_is_written_last():
    """Of what one call writes, the id, and the type, are the last bytes."""
    fields = SLOT.fields
    assert SLOT.itemsize == SIZE
    assert BEGIN.size == fields["id"][1] + 8 == END_AT
    assert END_AT + END.size == fields["type"][1] + 1
    written = bytearray(SIZE)
    BEGIN.pack_into(written, 0, 1, 2, 3, 4, 5, 6, 7)
    END.pack_into(written, END_AT, 8, 9, 10, 11, 2)
    (row,) = np.frombuffer(written, SLOT)
    assert (row["inv"], row["id"], row["ret"], row["type"]) == (1, 7, 8, 2)
    assert (row["client"], row["session"], row["n"], row["f"], row["phase"]) == (2, 3, 4, 5, 6)
    assert (row["value"], row["length"], row["error"]) == (9, 10, 11)


@pytest.fixture
def journal(tmp_path):
    """A journal with three complete appends, closed."""
    with Journal(tmp_path, 0) as journal:
        for number in (1, 2, 3):
            slot = journal.invoke(F.APPEND, 0, number << 8, 1)
            journal.complete(slot, Type.OK, value=number)
    (path,) = tmp_path.glob("*.journal")
    return path


def changed(path, row, name, value):
    """Overwrite one field of one row."""
    data = bytearray(path.read_bytes())
    kind, offset = SLOT.fields[name]
    at = SIZE * (row + 1) + offset
    data[at : at + kind.itemsize] = value.to_bytes(kind.itemsize, "little")
    path.write_bytes(data)


def test_a_row_without_an_id_is_not_there(journal, tmp_path):
    """It was cut short before anybody was called."""
    changed(journal, 2, "id", 0)
    assert len(files.load(tmp_path)) == 2


def test_an_answer_without_a_type_is_not_believed(journal, tmp_path):
    """It was cut short after the call: nobody knows."""
    changed(journal, 2, "type", 0)
    row = files.load(tmp_path).rows[2]
    assert (row["type"], row["ret"], row["value"]) == (Type.INFO, NEVER, -1)


def test_a_hole_between_rows_is_damage(journal, tmp_path):
    """Rows are written in order, so only the last one can be missing."""
    changed(journal, 1, "id", 0)
    with pytest.raises(HistoryError, match="missing between"):
        files.load(tmp_path)


def test_room_that_was_not_used_is_empty(journal, tmp_path):
    """A process that was killed leaves room at the end of its file; no row is there."""
    with journal.open("ab") as file:
        file.write(bytes(SIZE * 50))
    assert len(files.load(tmp_path)) == 3


@pytest.mark.parametrize("left", [0, SIZE * 4])
def test_a_journal_without_a_first_row_is_empty(journal, tmp_path, left):
    """A process that was killed while it made its file recorded nothing."""
    journal.write_bytes(bytes(left))
    assert len(files.load(tmp_path)) == 0


def test_a_sealed_journal_counts_once(tmp_path):
    """Killed between sealing and removing the journal: its rows are there once."""
    first = Journal(tmp_path, 0, rows=2)
    for number in (1, 2):
        slot = first.invoke(F.APPEND, 0, number << 8)
        first.complete(slot, Type.FAIL, error="Busy: it")
    kept = {path: path.read_bytes() for path in tmp_path.iterdir()}
    first.complete(first.invoke(F.APPEND, 0, 3 << 8), Type.OK)
    first.close()
    assert not any(path.exists() for path in kept), "it was not sealed"
    for path, data in kept.items():
        path.write_bytes(data)
    history = files.load(tmp_path)
    assert (history.rows["id"] >> 8).tolist() == [1, 2, 3]
    assert history.errors == ("", "Busy: it")


def test_answers_without_their_rows_do_not_count(tmp_path):
    """Killed between writing the answers and the rows: these reads never answered."""
    with Journal(tmp_path, 0, every=1) as journal:
        journal.answered(journal.invoke(F.READ, 0, 256), [1, 2])
        journal.answered(journal.invoke(F.READ, 0, 512), ["odd"])
    (path,) = tmp_path.glob("*.journal")
    changed(path, 1, "type", 0)
    history = files.load(tmp_path)
    assert history.lists.row.tolist() == [0]
    assert history.odd == ()


def test_a_torn_error_does_not_count(tmp_path):
    """Killed while an error was written: no row refers to it."""
    with Journal(tmp_path, 0) as journal:
        journal.complete(journal.invoke(F.APPEND, 0, 256), Type.FAIL, error="Busy: it")
    (path,) = tmp_path.glob("*.errors")
    path.write_bytes(path.read_bytes() + b'"Lost: th')
    assert files.load(tmp_path).errors == ("", "Busy: it")
