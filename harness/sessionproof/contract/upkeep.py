"""What is done to a store as a whole: verified, backed up, restored, recovered, repaired, migrated.

``verify`` and ``backup`` are about the data of the handle itself. The others are about a directory
that no handle has open, also a damaged one: they are asked of any handle, which only lends its
code, so a class may have them as static methods. Paths are texts. Each raises ``Refused`` in one
line, and then has changed nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at everything found: ``problems``, a sentence each; none when all is well."""

    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was saved from a damaged store: numbers, and in ``lost`` a sentence for each loss.

    ``lost`` is empty only if everything was saved.
    """

    sessions: int
    messages: int
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What was mended, or would be: ``changes``, a sentence each; none when nothing is wrong.

    ``backup`` is the path of the backup that was made before; None where nothing was changed.
    """

    changes: tuple[str, ...] = ()
    backup: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What was taken over, or would be. ``changed`` is False where there was nothing to do.

    ``set_aside`` counts rows that could not become messages and were kept elsewhere, such as
    orphans; ``notes`` says in sentences what was set aside, and what was corrected.
    """

    changed: bool
    sessions: int
    messages: int
    set_aside: int = 0
    notes: tuple[str, ...] = ()


class Verifies(Protocol):
    """The store can look for damage itself."""

    def verify(self, session_id: str | None = None) -> Verified:
        """Check all data, or one session's; what is wrong is answered, and not raised."""
        ...


class BacksUp(Protocol):
    """Backups are made while the store is in use."""

    def backup(self, folder: str, *, keep: int | None = None) -> str:
        """Make a new backup in an existing folder and answer its path, a file or a folder there.

        With ``keep``, older backups of the same data in the folder are removed beyond that number.
        """
        ...


class Restores(Protocol):
    """A backup can be put in the place of what is there."""

    def restore(self, backup: str, directory: str) -> str | None:
        """Put the backup's data in the place of that in the directory, which nobody has open.

        Answers the path of a copy of what was there before, which ``restore`` takes too; None when
        there was nothing.
        """
        ...


class Recovers(Protocol):
    """What can still be read of a damaged store can be saved."""

    def recover(self, damaged: str, directory: str) -> Recovered:
        """Save what can be read in the directory ``damaged`` into the other, which is empty.

        The damaged one is not changed.
        """
        ...


class Repairs(Protocol):
    """Rows that contradict each other can be mended."""

    def repair(self, directory: str, *, dry_run: bool = True) -> Repaired:
        """Mend the data in a directory, after a backup; a dry run only says what would be done."""
        ...


class Migrates(Protocol):
    """Data of another schema, or of an earlier release, can be taken over."""

    def migrate(self, file: str, directory: str, *, dry_run: bool = False) -> Migrated:
        """Take over a file of another schema into the directory; again, it changes nothing.

        The file may lie in the directory. A dry run only counts.
        """
        ...


class RollsBack(Protocol):
    """A migration can be taken back."""

    def rollback(self, directory: str) -> None:
        """Put the file that was migrated back where it was, byte for byte."""
        ...
