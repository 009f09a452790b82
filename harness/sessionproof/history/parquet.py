"""Histories as Parquet: one row group a shard, the facts in the schema. Needs pyarrow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sessionproof.history.columns import ROW, History, Lists
from sessionproof.history.format import (
    Facts,
    HistoryError,
    facts_from_json,
    facts_to_json,
    reading,
    whole_file,
)
from sessionproof.history.parts import sharded

_FACTS = b"sessionproof"
_GROUPS = b"sessionproof-shards"
_ANSWER = "answer"


def write(history: History, path: Path, *, shards: int = 1) -> None:
    """Write the history to one file, whole or not at all; raises HistoryError."""
    pa, parquet = _pyarrow(path)
    # Twice, as the facts stand in front: memory holds one shard beside the history.
    seen = [(len(part), part.odd) for part in sharded(history, shards)]
    facts = Facts(shards, history.sessions, history.errors, tuple(odd for _, odd in seen))
    groups = [number for number, (rows, _) in enumerate(seen) if rows]
    said = {_FACTS: facts_to_json(facts).encode(), _GROUPS: json.dumps(groups).encode()}
    schema = _schema(pa).with_metadata(said)
    with whole_file(path) as file, parquet.ParquetWriter(file, schema, compression="zstd") as out:
        for part in sharded(history, shards):
            if len(part):
                out.write_table(_table(pa, part, schema), row_group_size=len(part))


def facts_of(path: Path) -> Facts:
    """What stands once in the file; raises HistoryError."""
    _, parquet = _pyarrow(path)
    with reading(path):
        return facts_from_json(_said(parquet.read_schema(path), _FACTS, path), path)


def part_of(path: Path, facts: Facts, shard: int) -> History:
    """One shard, and nothing else of the file in memory; raises HistoryError."""
    _, parquet = _pyarrow(path)
    with reading(path), parquet.ParquetFile(path) as file:
        groups = json.loads(_said(file.schema_arrow, _GROUPS, path))
        if len(groups) != file.num_row_groups:
            raise HistoryError(f"{path} is damaged: it has other shards than it says")
        mine = [at for at, number in enumerate(groups) if number == shard]
        table = file.read_row_groups(mine)
        rows = np.zeros(table.num_rows, ROW)
        for name in ROW.names or ():
            rows[name] = table.column(name).to_numpy()
        lists = _lists(table.column(_ANSWER).combine_chunks())
    return History(rows, lists, facts.sessions, facts.errors, facts.odd[shard])


def _pyarrow(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise HistoryError(
            f"{path} is Parquet, which needs pyarrow: pip install 'sessionproof[scale]'"
        ) from None
    return pa, parquet


def _said(schema: Any, name: bytes, path: Path) -> bytes:
    said = (schema.metadata or {}).get(name)
    if said is None:
        raise HistoryError(f"{path} is no history: name what a run of sessionproof kept")
    return bytes(said)


def _schema(pa: Any) -> Any:
    columns = [(name, pa.from_numpy_dtype(ROW[name])) for name in ROW.names or ()]
    return pa.schema([*columns, (_ANSWER, pa.large_list(pa.uint64()))])


def _table(pa: Any, part: History, schema: Any) -> Any:
    """The rows with the answers that were kept, and null for the others."""
    columns = {name: np.ascontiguousarray(part.rows[name]) for name in ROW.names or ()}
    lengths = np.zeros(len(part), np.int64)
    lengths[part.lists.row] = np.diff(part.lists.start)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    missing = np.ones(len(part), bool)
    missing[part.lists.row] = False
    answers = pa.LargeListArray.from_arrays(
        pa.array(offsets), pa.array(part.lists.ids), mask=pa.array(missing)
    )
    return pa.table({**columns, _ANSWER: answers}, schema=schema)


def _lists(answers: Any) -> Lists:
    row: npt.NDArray[np.int64] = np.flatnonzero(answers.is_valid().to_numpy(zero_copy_only=False))
    kept = answers.drop_null()
    lengths = kept.value_lengths().to_numpy(zero_copy_only=False)
    start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Lists(row, start, kept.flatten().to_numpy(zero_copy_only=False).astype(np.uint64))
