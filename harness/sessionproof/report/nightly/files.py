"""The files of nights: each night and the corpus as JSON, whole or not at all, and read back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from sessionproof.contract.decoding import decoded
from sessionproof.report.nightly.corpus import Corpus, after
from sessionproof.report.nightly.night import SCHEMA_VERSION, Night
from sessionproof.report.plain import shown
from sessionproof.report.write import read_versioned, write_whole

NIGHTS, CORPUS = "nights", "corpus.json"
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{6}Z")
T = TypeVar("T", Night, Corpus)


def write_night(night: Night, folder: Path) -> None:
    """Write a night's file below the folder, which is made."""
    (folder / NIGHTS).mkdir(parents=True, exist_ok=True)
    write_whole(folder / NIGHTS / f"{night.name}.json", _text(night, indent=None))


def write_corpus(corpus: Corpus, folder: Path) -> None:
    """Write the corpus."""
    write_whole(folder / CORPUS, _text(corpus, indent=1))


def read_night(folder: Path, name: str) -> Night:
    """The night of this name; raises ValueError in one line that names the file."""
    path = folder / NIGHTS / f"{name}.json"
    night = _read(Night, path, "a night")
    if night.name != name:
        raise ValueError(f"{shown(str(path))} is about another night, {shown(night.started_at)}")
    return night


def read_corpus(folder: Path) -> Corpus:
    """The corpus; an empty one where there is none yet. Raises ValueError as ``read_night``."""
    if not (folder / CORPUS).exists():
        return Corpus()
    return _read(Corpus, folder / CORPUS, "a corpus")


def names(folder: Path) -> list[str]:
    """The names of all nights in the folder, the oldest first."""
    found = (path.stem for path in (folder / NIGHTS).glob("*.json"))
    return sorted(name for name in found if _NAME.fullmatch(name))


def corpus_before(folder: Path, name: str) -> Corpus:
    """The corpus as it was before the night of this name, written where nights are new in it.

    A night that was not gone on with counts as far as it came. Raises ValueError.
    """
    corpus = read_corpus(folder)
    new = [one for one in names(folder) if corpus.until < one < name]
    for one in new:
        corpus = after(corpus, read_night(folder, one))
    if new:
        write_corpus(corpus, folder)
    return corpus


def newest(folder: Path, most: int) -> tuple[list[Night], list[str]]:
    """The newest nights, the oldest first, and a sentence for each that cannot be read."""
    nights, unread = [], []
    for name in names(folder)[-most:]:
        try:
            nights.append(read_night(folder, name))
        except ValueError as error:
            unread.append(str(error))
    return nights, unread


def forget(folder: Path, kept: Iterable[str]) -> list[Path]:
    """The folders of reports of nights that are not kept any more: named, not removed."""
    wanted = set(kept)
    found = (path for path in folder.iterdir()) if folder.is_dir() else iter(())
    return sorted(path for path in found if _NAME.fullmatch(path.name) and path.name not in wanted)


def _text(value: Night | Corpus, *, indent: int | None) -> str:
    values = {"schema": SCHEMA_VERSION, **asdict(value)}
    return json.dumps(values, indent=indent, allow_nan=False) + "\n"


def _read(kind: type[T], path: Path, what: str) -> T:
    older = "use the sessionproof that wrote it, or another folder"
    value = read_versioned(
        path, f"not {what}", SCHEMA_VERSION, older=older, remedy="; move it away"
    )
    try:
        return decoded(kind, value)
    except ValueError as error:
        raise ValueError(f"{shown(str(path))} is not {what}: {error}; move it away") from None
