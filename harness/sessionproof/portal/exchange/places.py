"""New files and folders: private, and whole or not there."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sessionproof.contract.errors import Refused

_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700


def place_of(path: os.PathLike[str] | str) -> Path:
    """The whole path; raises ``Refused`` for what names no file."""
    place = Path(path).absolute()
    if "\0" in str(place):
        raise Refused("the name of a file cannot hold U+0000")
    return place


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A private folder that gets its name when the block ends well. Raises ``Refused``."""
    with _refusing(path), _part_of(path) as part:
        part.mkdir(mode=_PRIVATE_FOLDER)
        yield part
        for file in part.iterdir():
            _sync(file)
        _sync(part)
        part.rename(path)  # not onto a folder with files, nor onto a file
        _sync(path.parent)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """The same for a file."""
    with _refusing(path), _part_of(path) as part:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE_FILE))
        yield part
        _sync(part)
        os.link(part, path)  # fails where something is
        _sync(path.parent)


def new_text(path: Path) -> TextIO:
    """A private file of UTF-8 to be written; what a failed attempt left there is gone."""
    handle = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, _PRIVATE_FILE)
    return os.fdopen(handle, "w", encoding="utf-8", newline="")


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """A name beside the path; what has it at the end is removed."""
    if os.path.lexists(path):
        raise FileExistsError(0, "it is there already: choose another name", str(path))
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        yield part
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror or error}") from error


def _sync(path: Path) -> None:
    """See that a file, or the names in a folder, survive a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
