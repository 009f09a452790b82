"""Histories as NPZ: arrays that ``numpy.load`` reads, shard by shard, and one member of JSON."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from sessionproof.history.columns import History, Lists
from sessionproof.history.format import (
    Facts,
    HistoryError,
    facts_from_json,
    facts_to_json,
    reading,
    whole_file,
)
from sessionproof.history.parts import sharded

_FACTS = "history.json"


def write(history: History, path: Path, *, shards: int = 1) -> None:
    """Write the history to one file, whole or not at all; raises HistoryError."""
    odd = []
    with whole_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for number, part in enumerate(sharded(history, shards)):
            write_arrays(archive, f"{number}/", {"rows": part.rows, **_arrays(part.lists)})
            odd.append(part.odd)
        facts = Facts(shards, history.sessions, history.errors, tuple(odd))
        archive.writestr(zipfile.ZipInfo(_FACTS), facts_to_json(facts))


def facts_of(path: Path) -> Facts:
    """What stands once in the file; raises HistoryError."""
    with reading(path), zipfile.ZipFile(path) as archive:
        if _FACTS not in archive.namelist():
            raise HistoryError(f"{path} is no history: name what a run of sessionproof kept")
        return facts_from_json(archive.read(_FACTS), path)


def part_of(path: Path, facts: Facts, shard: int) -> History:
    """One shard, and nothing else of the file in memory; raises HistoryError."""
    with reading(path), zipfile.ZipFile(path) as archive:
        rows = read_array(archive, f"{shard}/rows")
        lists = read_lists(archive, f"{shard}/")
    return History(rows, lists, facts.sessions, facts.errors, facts.odd[shard])


def write_lists(path: Path, lists: Lists, odd: object) -> None:
    """Write answers alone, with their odd texts, for a journal that is not sealed yet."""
    with whole_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        write_arrays(archive, "", _arrays(lists))
        archive.writestr(zipfile.ZipInfo("odd.json"), json.dumps(odd))


def written_lists(path: Path) -> tuple[Lists, list[tuple[int, str]]]:
    """The inverse of ``write_lists``; raises HistoryError."""
    with reading(path), zipfile.ZipFile(path) as archive:
        odd = json.loads(archive.read("odd.json"))
        return read_lists(archive, ""), [(int(row), str(text)) for row, text in odd]


def _arrays(lists: Lists) -> dict[str, npt.NDArray[Any]]:
    return {"list_row": lists.row, "list_start": lists.start, "list_ids": lists.ids}


def write_arrays(
    archive: zipfile.ZipFile, prefix: str, arrays: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Write each array as a member, with no date, so that equal histories make equal files."""
    for name, array in arrays.items():
        member = zipfile.ZipInfo(f"{prefix}{name}.npy")
        with archive.open(member, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, array, allow_pickle=False)


def read_lists(archive: zipfile.ZipFile, prefix: str) -> Lists:
    """The three arrays of answers."""
    row, start, ids = (read_array(archive, f"{prefix}list_{name}") for name in _LIST)
    return Lists(row.astype(np.int64), start.astype(np.int64), ids.astype(np.uint64))


_LIST = ("row", "start", "ids")


def read_array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    """One member, never an object; raises ValueError when it says to be larger than it is."""
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as file:
        _check_size(file, member.file_size)
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _check_size(file: IO[bytes], size: int) -> None:
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"its arrays are of NPY version {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    expected = int(np.prod(shape, dtype=np.float64)) * dtype.itemsize
    if expected != size - file.tell():
        raise ValueError("an array is not as large as it says")
