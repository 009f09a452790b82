"""Classes of damage: each changes what it says, where it says, the same with the same seed."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from sessionproof.contract.seed import generator
from sessionproof.faults.damage.bits import BIT_IN_TEXT, BLOCK
from sessionproof.faults.damage.classes import (
    STRUCTURAL,
    TEXTUAL,
    WHOLE,
    fitting,
    main_files,
)
from sessionproof.faults.damage.done import Subject
from sessionproof.faults.damage.files import taken
from sessionproof.faults.damage.noticing import by_lines, is_document, noticed
from sessionproof.faults.damage.records import (
    garbage_line,
    garbage_row,
    torn_document,
    torn_line,
)

EVERY = (*STRUCTURAL, *TEXTUAL, *WHOLE)
TOKENS = tuple(f"token{number:04d}".encode() for number in range(80))


def database(folder, number=80, *, live=False):
    """Rows with tokens, a trigger, and a log that lies beside it if it is live."""
    folder.mkdir(exist_ok=True)
    path = folder / "chat.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA page_size = 1024")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, other TEXT)")
        db.execute("CREATE INDEX by_other ON notes (other)")
        db.execute(
            "CREATE TRIGGER kept BEFORE UPDATE ON notes BEGIN SELECT RAISE(ABORT, 'kept'); END"
        )
        for place in range(number):
            text = TOKENS[place].decode() + " and so on" * (300 if place == 7 else 3)
            db.execute("INSERT INTO notes (text, other) VALUES (?, ?)", (text, str(place) * 4))
        db.execute("DELETE FROM notes WHERE id BETWEEN 20 AND 40")
        db.commit()
        kept = taken(folder) if live else None
    if kept is not None:
        kept.put(folder)
    return folder


def lines(folder):
    """Lines of JSON with a head."""
    folder.mkdir()
    texts = ["head", *({"text": f"{token.decode()} and so on"} for token in TOKENS)]
    (folder / "chat.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    return folder


def document(folder):
    """One document of JSON."""
    folder.mkdir()
    texts = [f"{token.decode()} and so on" for token in TOKENS]
    (folder / "chat.json").write_text(json.dumps({"messages": texts}, indent=1))
    return folder


MADE = {
    "database": database,
    "live": lambda folder: database(folder, live=True),
    "lines": lines,
    "document": document,
}


def damaged(source, damage, work, *, older=None, seed=1):
    """A copy of the folder with the damage done, and what was done."""
    shutil.copytree(source, work)
    (file,) = main_files(taken(work).files, TOKENS)
    subject = Subject(folder=work, file=file, tokens=TOKENS, older=older)
    return damage.apply(subject, generator(seed, damage.name))


def half_way(folder):
    """The same database with fewer rows, closed, and the log that it had before."""
    log = database(folder.with_name("open"), 50, live=True) / "chat.db-wal"
    database(folder, 50)
    shutil.copy(log, folder)
    return folder


@pytest.mark.parametrize("made", MADE)
def test_each_class_changes_the_file_that_it_names(made, tmp_path):
    """All other files stay but the index of a log, and the same seed does the same."""
    source, older = MADE[made](tmp_path / "source"), half_way(tmp_path / "older")
    before = taken(source).files
    (file,) = main_files(before, TOKENS)
    fits = fitting(EVERY, source / file)
    if made == "live":  # its pages lie in its log
        fits = [damage for damage in fits if damage.needs == "log"]
        assert len(fits) == 6
    for number, damage in enumerate(fits):
        one, two = tmp_path / f"{number}-1", tmp_path / f"{number}-2"
        done = damaged(source, damage, one, older=older)
        assert done is not None, damage.name
        assert done == damaged(source, damage, two, older=older)
        after = taken(one).files
        assert after == taken(two).files or damage.name == "foreign log"  # it has random salts
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        assert changed - {f"{file}-shm"} == ({done.file} if done.page else set()), damage.name
        assert changed
        assert done.words
        assert done.use


def _length(path):
    return len(path.name)


def test_logs_are_damaged_where_there_are_logs(tmp_path):
    """Classes of pages and of logs are not done to files without them."""
    names = {
        made: {damage.name for damage in fitting(EVERY, file)}
        for made, make in MADE.items()
        for file in [min((make(tmp_path / made)).glob("chat.*"), key=_length)]
    }
    assert "log cut" in names["live"]
    assert "log cut" not in names["database"]
    assert "page zeroed" in names["database"]
    assert "block zeroed" not in names["database"]
    assert names["lines"] == names["document"]
    assert not names["lines"] & {"page zeroed", "older page", "foreign log", "bit in a leaf page"}


def test_a_bit_in_a_text_makes_another_letter(tmp_path):
    """One letter or digit of a token is another; all else is as it was."""
    for made in ("database", "lines", "document"):
        source = MADE[made](tmp_path / made)
        (file,) = main_files(taken(source).files, TOKENS)
        before = (source / file).read_bytes()
        damaged(source, BIT_IN_TEXT, tmp_path / f"{made}-damaged")
        after = (tmp_path / f"{made}-damaged" / file).read_bytes()
        (at,) = [at for at in range(len(before)) if before[at] != after[at]]
        assert chr(before[at]).isalnum()
        assert chr(after[at]).isalnum()
        assert any(before.find(token) <= at < before.find(token) + 9 for token in TOKENS)


def test_what_everybody_can_notice(tmp_path):
    """SQLite by its tables, and by its integrity check if that is asked; JSON by parsing."""
    source = database(tmp_path / "source")
    path = source / "chat.db"
    before = path.read_bytes()
    assert not noticed(path, before, thorough=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema "
            "WHERE name = 'notes') WHERE name = 'by_other'"
        )
        db.commit()
    assert noticed(path, before, thorough=True)
    path.write_bytes(before[: len(before) // 2])
    assert noticed(path, before, thorough=False)
    for make in (lines, document):
        file = next(make(tmp_path / make.__name__).iterdir())
        whole = file.read_bytes()
        assert not noticed(file, whole, thorough=True)
        file.write_bytes(whole[:-9])
        assert noticed(file, whole, thorough=False)
    other = tmp_path / "other"
    other.write_bytes(b"\x80pickled")
    assert not noticed(other, b"\x80pickled or so", thorough=True)


def test_lines_and_documents_are_told_apart(tmp_path):
    """A document of several lines is none of lines, and lines may begin with a checksum."""
    assert by_lines(next(lines(tmp_path / "lines").iterdir()).read_bytes())
    assert by_lines(b'aa1b {"a": 1}\nbb2c {"b": 2}\n')
    whole = next(document(tmp_path / "document").iterdir()).read_bytes()
    assert is_document(whole)
    assert not by_lines(whole)
    assert not by_lines(b"Dear Sir,\nI am\nyours\n")


def test_one_line_is_damaged(tmp_path):
    """The tokens that are told are those of the line, and no other line changes."""
    whole = next(lines(tmp_path / "source").iterdir()).read_bytes().split(b"\n")
    for number, damage in enumerate((torn_line, garbage_line)):
        folder = lines(tmp_path / str(number))
        hit = damage(folder, "chat.jsonl", TOKENS, generator(1))
        after = (folder / "chat.jsonl").read_bytes().split(b"\n")
        (token,) = hit.tokens
        changed = [one for one, two in zip(whole, after, strict=False) if one != two]
        assert [line for line in changed if line] == [one for one in whole if token in one]
    assert torn_line(document(tmp_path / "no"), "chat.json", TOKENS, generator(1)) is None


def test_one_document_is_torn(tmp_path):
    """Its end is gone; a file of lines is no document."""
    folder = document(tmp_path / "source")
    hit = torn_document(folder, "chat.json", TOKENS, generator(1))
    assert hit.tokens == set(TOKENS)
    assert not is_document((folder / "chat.json").read_bytes())
    assert torn_document(lines(tmp_path / "no"), "chat.jsonl", TOKENS, generator(1)) is None


def test_one_row_is_damaged_past_its_trigger(tmp_path):
    """The trigger is there again, the row is no text, and the other rows are as they were."""
    path = database(tmp_path / "source") / "chat.db"
    query = "SELECT id, CAST(text AS BLOB) FROM notes"
    with closing(sqlite3.connect(path)) as db:
        before = dict(db.execute(query))
        schema = db.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    hit = garbage_row(path, "notes", TOKENS[3], file="chat.db")
    assert hit.tokens == {TOKENS[3]}
    with closing(sqlite3.connect(path)) as db:
        after = dict(db.execute(query))
        assert sorted(db.execute("SELECT type, name, sql FROM sqlite_schema")) == sorted(schema)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [number for number in before if before[number] != after[number]] == [4]
    with pytest.raises(UnicodeDecodeError):
        after[4].decode()
    assert garbage_row(path, "notes", b"token9999", file="chat.db") is None


def test_blocks_are_small():
    """A file of a few lines has several of them."""
    assert BLOCK == 512
