"""What damage is done to, and what was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random  # noqa: TID251 - the type alone
from typing import Literal

Needs = Literal["database", "log", "blocks", "text", "any"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A file of a store that nobody has open, below a folder that may be spoiled.

    ``file`` is its path below the folder. ``tokens`` are texts that each occur in one message
    alone. ``older`` is a folder with the same store as it was some messages ago, if there is one.
    """

    folder: Path
    file: str
    tokens: tuple[bytes, ...] = ()
    older: Path | None = None

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self.folder / self.file


@dataclass(frozen=True, kw_only=True)
class Done:
    """A damage that was done: to which page of which file, and what that page held.

    Pages count from 1, of a log its frames do; 0 is no page of the file.
    ``words`` go on after "damaged: ", as in "bit 3 of byte 4,096 of page 2 flipped".
    """

    file: str
    page: int
    use: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Damage:
    """One class of damage.

    ``needs`` says what it can be done to: an SQLite "database", one with a "log" beside it,
    "blocks" of other files, a "text" of a message in any file, or "any" file as a whole.
    ``apply`` does it at a place that the generator draws, and answers None where there is none.
    """

    name: str
    needs: Needs
    apply: Callable[[Subject, Random], Done | None]
