"""Files of histories: what is saved is read, in parts or whole; damage is one line."""

import io
import json
import sys
import zipfile
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionproof.history import files, npz
from sessionproof.history.columns import NEVER, NONE, ROW, F, History, Lists, Phase, Type, digest_of
from sessionproof.history.files import HistoryError
from sessionproof.history.format import Facts, facts_to_json
from sessionproof.history.parts import joined

SUFFIXES = [".npz", ".parquet"]


@st.composite
def histories(draw):
    """Any history that hangs together."""
    number = draw(st.integers(0, 30))
    rows = np.zeros(number, ROW)
    odd, kept, ids = [], [], []
    for at in range(number):
        rows[at] = (
            at + 1 << 8, at * 10, draw(st.sampled_from([at * 10 + 5, NEVER])),
            draw(st.sampled_from([NONE, 2**62])), draw(st.integers(0, 2**64 - 1)), 0,
            draw(st.integers(0, 3)), draw(st.integers(0, 5)), 1, -1, draw(st.integers(0, 1)),
            draw(st.sampled_from(F)), draw(st.sampled_from(Type)), draw(st.sampled_from(Phase)),
        )  # fmt: skip
        if draw(st.booleans()):
            answer = draw(st.lists(st.integers(0, 2**64 - 1), max_size=4))
            rows["length"][at] = len(answer)
            kept.append(at)
            ids.append(answer)
            odd += [(at, "odd \ud800")] if 0 in answer else []
    start = np.cumsum([0, *map(len, ids)])
    flat = np.array([one for answer in ids for one in answer], np.uint64)
    names = draw(st.lists(st.text(min_size=1, max_size=3), min_size=6, max_size=8))
    return History(
        rows, Lists(np.array(kept, np.int64), start, flat), tuple(names), ("", "x"), tuple(odd)
    )


def content(history):
    """All of a history, in order of its ids: what it says, wherever its rows stand."""
    said = []
    for at, row in enumerate(history.rows):
        answer = history.lists.of(at)
        texts = [text for place, text in history.odd if place == at]
        error = history.errors[row["error"]]
        name = history.sessions[row["session"]]
        plain = tuple(row[column].item() for column in ROW.names if column != "error")
        said.append((plain, error, name, None if answer is None else answer.tolist(), texts))
    return sorted(said, key=repr)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, deadline=None)
@given(history=histories(), shards=st.integers(1, 4))
def test_what_is_saved_is_read(tmp_path_factory, suffix, history, shards):
    """Any history comes back, whole and in shards, of which each has its own sessions."""
    path = tmp_path_factory.mktemp("saved") / f"history{suffix}"
    files.save(history, path, shards=shards)
    assert content(files.read(path)) == content(history)
    parts = list(files.shards(path))
    assert len(parts) == shards
    assert sorted(chain.from_iterable(map(content, parts)), key=repr) == content(history)
    for number, part in enumerate(parts):
        assert {*part.rows["session"] % shards} <= {number}
        assert part.sessions == history.sessions


@settings(max_examples=30, deadline=None)
@given(history=histories(), other=histories(), shards=st.lists(st.integers(1, 3), min_size=2))
def test_files_of_a_folder_are_one_history(tmp_path_factory, history, other, shards):
    """Saved files of any shards and formats lie in one folder; together they are one history."""
    other = History(other.rows, other.lists, history.sessions, ("", "y"), other.odd)
    folder = tmp_path_factory.mktemp("folder")
    files.save(history, folder, shards=shards[0])
    files.save(other, folder / "other.parquet", shards=shards[1])
    both = sorted(content(history) + content(other), key=repr)
    assert content(files.load(folder)) == both
    parts = list(files.shards(folder))
    assert len(parts) == max(shards[:2])
    assert sorted(chain.from_iterable(map(content, parts)), key=repr) == both


def test_equal_histories_make_equal_files(tmp_path, small):
    """A file has no date in it, and numpy reads its arrays."""
    files.save(small, tmp_path / "a.npz")
    files.save(small, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert (arrays["0/rows"] == small.rows).all()


@pytest.fixture
def small():
    """Two appends and a read."""
    rows = np.zeros(3, ROW)
    rows["id"] = np.arange(1, 4) << 8
    rows["f"] = [F.APPEND, F.APPEND, F.READ]
    rows["ret"] = 1
    rows["type"] = Type.OK
    rows["length"][2] = 2
    ids = np.array([256, 512], np.uint64)
    rows["digest"][2] = digest_of(ids)
    lists = Lists(np.array([2]), np.array([0, 2]), ids)
    return History(rows, lists, ("alpha",), ("",), ())


def refused(path):
    """The one line in which reading this is refused."""
    with pytest.raises(HistoryError) as whole:
        files.read(path)
    with pytest.raises(HistoryError):
        list(files.shards(path))
    line = str(whole.value)
    assert str(path) in line
    assert "\n" not in line
    return line


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cut_file_is_refused(tmp_path, small, suffix):
    """Wherever a file was cut short: one line, and never a part of the history."""
    whole = tmp_path / f"a{suffix}"
    files.save(small, whole, shards=2)
    data = whole.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    for length in range(0, len(data), 23):
        cut.write_bytes(data[:length])
        refused(cut)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_changed_byte_is_harmless_or_refused(tmp_path, small, suffix):
    """A flipped byte gives the same history, another one that hangs together, or one line."""
    whole = tmp_path / f"a{suffix}"
    files.save(small, whole)
    data = whole.read_bytes()
    bent = tmp_path / f"bent{suffix}"
    refusals = []
    for at in range(0, len(data), 7 if suffix == ".npz" else 41):
        bent.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            content(files.read(bent))
        except HistoryError as error:
            refusals.append(str(error))
    assert refusals
    assert not any("\n" in line for line in refusals)


def foreign(tmp_path):
    """Files that are no histories, by name."""
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    np.savez(tmp_path / "objects.npz", **{"0/rows": np.array([{}, []], object)})
    (tmp_path / "text.npz").write_text("a text")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.parquet").write_text("a text")
    (tmp_path / "zeros.journal").write_bytes(bytes(100) + b"x")
    (tmp_path / "text.journal").write_text("a text " * 40)
    (tmp_path / "chat.db").write_bytes(b"SQLite format 3\0" + bytes(84))
    (tmp_path / "folder").mkdir()
    return ["missing.npz", *(path.name for path in sorted(tmp_path.iterdir()))]


def test_what_is_no_history_is_refused(tmp_path):
    """Foreign, empty and missing files, and an empty folder: one line each."""
    for name in foreign(tmp_path):
        refused(tmp_path / name)


def repacked(path, **members):
    """The NPZ file with some members replaced."""
    with zipfile.ZipFile(path) as archive:
        data = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, old in data.items():
            archive.writestr(name, members.get(name.removesuffix(".npy").replace("/", "_"), old))


def array(values, version=None):
    """An array as a member."""
    file = io.BytesIO()
    np.lib.format.write_array(file, values, version, allow_pickle=True)
    return file.getvalue()


def test_objects_are_never_unpickled(tmp_path, small):
    """A history that holds a pickle is refused, and nothing of it is run."""

    class Trap:
        def __reduce__(self):
            return (print, ("it was unpickled",))

    path = tmp_path / "a.npz"
    files.save(small, path)
    repacked(path, _0_rows=b"")
    repacked(path, **{"0_rows": array(np.array([Trap()], object))})
    assert "unpickled" not in refused(path)


def test_an_array_of_a_later_version_is_told(tmp_path, small):
    """Its header is never read as one of the first version; the line names the version."""
    path = tmp_path / "a.npz"
    files.save(small, path)
    repacked(path, **{"0_list_ids": array(small.lists.ids, version=(2, 0))})
    assert "NPY version (2, 0)" in refused(path)


def changed(history, **columns):
    """The rows with some columns replaced."""
    rows = history.rows.copy()
    for name, value in columns.items():
        rows[name] = value
    return rows


def test_parts_that_do_not_fit_are_refused(tmp_path, small):
    """Numbers that point nowhere never reach a check."""
    path = tmp_path / "a.npz"
    head = {"descr": "<u8", "fortran_order": False, "shape": (10**12,)}
    huge = b"\x93NUMPY\x01\x00v\x00" + repr(head).encode().ljust(117) + b"\n"
    members = {
        "an id of 0": {"0_rows": array(changed(small, id=0))},
        "a kind": {"0_rows": array(changed(small, f=77))},
        "an outcome": {"0_rows": array(changed(small, type=3))},
        "a phase": {"0_rows": array(changed(small, phase=9))},
        "an error": {"0_rows": array(changed(small, error=4))},
        "a session": {"0_rows": array(changed(small, session=2**32 - 1))},
        "columns": {"0_rows": array(np.zeros(3, [("id", "<u8")]))},
        "two dimensions": {"0_rows": array(small.rows.reshape(1, 3))},
        "a list's row": {"0_list_row": array(np.array([3]))},
        "a list's end": {"0_list_start": array(np.array([0, 3]))},
        "a list's length": {"0_rows": array(changed(small, length=7))},
        "another list's": {"0_list_row": array(np.array([1]))},
        "two lists of a row": {
            "0_list_row": array(np.array([2, 2])),
            "0_list_start": array(np.array([0, 2, 4])),
            "0_list_ids": array(np.tile(small.lists.ids, 2)),
        },
        "an odd text": {"history.json": facts_to_json(Facts(odd=(((3, "odd"),),))).encode()},
        "no list": {"0_list_start": array(np.zeros(0, np.int64))},
        "a huge array": {"0_list_ids": huge},
        "no JSON": {"history.json": b"{"},
        "other JSON": {"history.json": b"[]"},
        "no shards": {"history.json": b'{"format": "sessionproof-history", "version": 1}'},
    }
    for name, replaced in members.items():
        files.save(small, path)
        repacked(path, **replaced)
        assert refused(path), name


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_newer_version_is_refused(tmp_path, small, suffix, monkeypatch):
    """The line says which version it is, and that an update is needed."""
    monkeypatch.setattr("sessionproof.history.format.VERSION", 2)
    files.save(small, tmp_path / f"a{suffix}")
    monkeypatch.undo()
    assert "version 2" in refused(tmp_path / f"a{suffix}")
    assert "update" in refused(tmp_path / f"a{suffix}")


def test_parquet_names_its_extra(tmp_path, small, monkeypatch):
    """Without pyarrow the line says what to install, for reading and for writing."""
    files.save(small, tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "sessionproof[scale]" in refused(tmp_path / "a.parquet")
    with pytest.raises(HistoryError, match=r"sessionproof\[scale\]"):
        files.save(small, tmp_path / "b.parquet")


def test_a_table_of_another_program_is_no_history(tmp_path):
    """Parquet without our facts is told apart from a damaged history."""
    parquet = pytest.importorskip("pyarrow.parquet")
    pa = pytest.importorskip("pyarrow")
    parquet.write_table(pa.table({"id": [1, 2]}), tmp_path / "other.parquet")
    assert "is no history" in refused(tmp_path / "other.parquet")


def test_parquet_with_other_shards_than_it_says_is_refused(tmp_path, small):
    """Its rows would stand in no shard, and be missing from the history without a word."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    files.save(small, path)
    table = parquet.read_table(path)
    said = table.schema.metadata
    parquet.write_table(pa.concat_tables([table, table]), path, row_group_size=len(table))
    assert parquet.read_schema(path).metadata == said
    assert "other shards than it says" in refused(path)


def test_at_least_one_shard(tmp_path, small):
    """A file of no shards would be a history of no operations."""
    with pytest.raises(ValueError, match="at least one shard"):
        files.save(small, tmp_path / "a.npz", shards=0)
    assert not list(tmp_path.iterdir())


def test_more_errors_than_numbers_for_them(small):
    """The kinds of errors of many files together: those beyond the most are one, the last."""
    texts = [f"kind {number}" for number in range(60_010)]
    parts = [
        History(changed(small, error=[1, 2, 0]), small.lists, small.sessions, ("", *some))
        for some in (texts[:30_000], texts[30_000:60_000], texts[60_000:])
    ]
    whole = joined(parts)
    assert [whole.errors[code] for code in whole.rows["error"]] == [
        "kind 0", "kind 1", "", "kind 30000", "kind 30001", "", "…", "…", "",
    ]  # fmt: skip
    assert len(whole.errors) == 60_001


def test_a_history_that_cannot_be_saved_is_refused(tmp_path, small):
    """A missing folder is one line, and nothing half-written stays behind."""
    with pytest.raises(HistoryError, match="cannot be written"):
        files.save(small, tmp_path / "missing" / "a.npz")
    bad = History(changed(small, f=99), small.lists, small.sessions)
    with pytest.raises(HistoryError, match="no known kind"):
        files.save(bad, tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


def test_names_of_sessions_that_are_damaged_are_refused(tmp_path, small):
    """The file of names is looked at as closely as the others."""
    files.save(small, tmp_path)
    for text in ("{", "[]", json.dumps({"format": "sessionproof-sessions", "version": 1,
                                        "sessions": [1]})):  # fmt: skip
        (tmp_path / "sessions.json").write_text(text)
        with pytest.raises(HistoryError, match=r"sessions\.json"):
            files.load(tmp_path)


def test_a_shard_is_read_alone(tmp_path, small, monkeypatch):
    """Reading a part of a file looks at no rows of the others."""
    files.save(small, tmp_path / "a.npz", shards=3)
    seen = []
    read = npz.read_array
    monkeypatch.setattr(
        npz, "read_array", lambda archive, name: seen.append(name) or read(archive, name)
    )
    parts = files.shards(tmp_path / "a.npz")
    next(parts)
    assert {name[0] for name in seen} == {"0"}
    next(parts)
    assert {name[0] for name in seen} == {"0", "1"}
