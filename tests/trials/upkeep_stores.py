"""Stores whose upkeep differs in one thing from that of the careful one."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from fixtures.benign.interrupted import OneDocument, unique
from fixtures.mutants.interrupted import (
    KeptByAProcess,
    MigratingByAProcess,
    RemovesBeforeItRestores,
    legacy_messages,
)
from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location
from sessionproof.contract.upkeep import Migrated


class RefusesToRestore(KeptByAProcess):
    """Whatever is asked."""

    @classmethod
    def restore(cls, backup, directory):
        """Not today."""
        raise Refused("restoring is done by hand: call support")


class RestoresNothing(KeptByAProcess):
    """It says that it did."""

    @classmethod
    def restore(cls, backup, directory):
        """Nothing is done to what is there."""
        path = Path(directory, "chat.db")
        return str(path) if path.exists() else super().restore(backup, directory)


class SaysItIsNotDone(MigratingByAProcess):
    """A migration that was interrupted is refused at opening, until it is done again."""

    def __init__(self, location):
        if location.path("migrating").exists():
            raise Refused("a migration was interrupted: migrate again")
        super().__init__(location)

    @classmethod
    def migrate(cls, file, directory, *, dry_run=False):
        """Mark, build in the open, take the mark away."""
        directory, messages = Path(directory), legacy_messages(Path(file))
        mark = directory / "migrating"
        told = Migrated(changed=not dry_run, sessions=3, messages=len(messages))
        if dry_run or ((directory / "chat.db").exists() and not mark.exists()):
            return told
        mark.touch()
        (directory / "chat.db").unlink(missing_ok=True)
        (directory / "chat.db-journal").unlink(missing_ok=True)
        store = KeptByAProcess(Location(directory))
        for session in dict.fromkeys(name for name, _ in messages):
            store.append(session, [message for name, message in messages if name == session])
        store.close()
        mark.unlink()
        return told


class MigratesInPlace(MigratingByAProcess):
    """The old file may have the new one's name: it is kept under another."""

    def __init__(self, location):
        path = location.path("chat.db")
        if path.exists() and is_legacy(path):
            raise Refused("chat.db is of an older release: migrate it")
        super().__init__(location)

    @classmethod
    def migrate(cls, file, directory, *, dry_run=False):
        """Build beside, keep the old file by a second name, rename."""
        source, path = Path(file), Path(directory, "chat.db")
        if not is_legacy(source):
            return Migrated(changed=False, sessions=0, messages=0)
        messages = legacy_messages(source)
        told = Migrated(changed=not dry_run, sessions=3, messages=len(messages))
        if told.changed:
            built = cls.built(messages, path.parent)
            if source == path:
                path.with_name(unique("old", ".db")).hardlink_to(path)
            cls.put(built, path)
        return told


def is_legacy(path):
    """Whether a file has the plain legacy schema."""
    with closing(sqlite3.connect(path)) as db:
        return bool(db.execute("SELECT 1 FROM pragma_table_info('messages') "
                               "WHERE name = 'message_id'").fetchall())  # fmt: skip


class MigratesOverTheOldFile(MigratesInPlace):
    """The old file is gone when the new one has its name."""

    @classmethod
    def migrate(cls, file, directory, *, dry_run=False):
        """Build beside, rename."""
        source, path = Path(file), Path(directory, "chat.db")
        if dry_run or source != path or not is_legacy(source):
            return super().migrate(file, directory, dry_run=dry_run)
        messages = legacy_messages(source)
        cls.put(cls.built(messages, path.parent), path)
        return Migrated(changed=True, sessions=3, messages=len(messages))


class AwaitedRemovesFirst(RemovesBeforeItRestores):
    """Reads and restores are to be awaited."""

    async def read(self, session_id):
        return super().read(session_id)

    async def restore(self, backup, directory):
        return RemovesBeforeItRestores.restore(backup, directory)


class FewWrites(OneDocument):
    """A crash of the process alone is survived."""

    claims = replace(OneDocument.claims, durability="process")


class WithoutBackups(OneDocument):
    """Nothing but the core."""

    backup = None
    restore = None
