"""Lines of scripts about restores: a store with a backup, and what a restore makes of it."""

from __future__ import annotations

from sessionproof.scripts.backups import read_at, restored, saved
from sessionproof.trials.hot_journals import LINES
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Trial


def prepared(trial: Trial, *, logged: bool = True) -> list[str]:
    """A store with a backup, newer messages, and an image of its directory."""
    return saved(made(trial, "s0", "s1"), said(trial, "old"), said(trial, "new"), logged=logged)


def restored_is_saved() -> list[str]:
    """The backup is restored into the image, and read there."""
    return [
        *restored("made", "image"),
        *read_at("image"),
        "assert seen == saved, f'{len(seen)} messages instead of {len(saved)}'",
    ]


def stale_lines(trial: Trial, *, logged: bool, hot: bool = False) -> list[str]:
    """What was restored is the backup, also after a further append.

    ``hot``: a transaction of the image was interrupted before.
    """
    return [
        *prepared(trial, logged=logged),
        *(LINES if hot else ()),
        *restored_is_saved(),
        f"store.append(s0, [{said(trial, 'later')}])",
        "store.close()",
        *read_at("image"),
        "assert len(seen) == len(saved) + 1, len(seen)",
    ]


def kept_lines(trial: Trial, *, logged: bool) -> list[str]:
    """A restore leaves a copy of what was there, which can be restored."""
    return [
        *stale_lines(trial, logged=logged),
        "assert kept and Path(kept).exists(), 'no copy of what was there'",
        "store.close()",
        "back = tempfile.mkdtemp()",
        *restored("kept", "back"),
        *read_at("back"),
        "assert seen == before, f'{len(seen)} messages instead of {len(before)}'",
    ]


def twice_lines(trial: Trial) -> list[str]:
    """The copy of a first restore outlives a second one."""
    again = "first, content = kept, Path(kept).read_bytes() if Path(kept).is_file() else b''"
    return [
        *prepared(trial, logged=False),
        *restored("made", "image"),
        again,
        *restored("made", "image"),
        "assert kept != first, 'the copy of the first restore was overwritten'",
        "assert Path(first).exists(), 'the copy of the first restore is gone'",
        "if Path(first).is_file():",
        "    assert Path(first).read_bytes() == content, 'it was changed'",
        "store = open_store(location)",
    ]


def open_lines(trial: Trial) -> list[str]:
    """A restore while the store is open is refused, or seen by whoever has it open."""
    return [
        *prepared(trial, logged=False),
        *read_at("image"),
        *restored("made", "image", may_refuse=True),
        "owed = before if refused else saved",
        "try:",
        f"    store.append(s0, [{said(trial, 'later')}])",
        "    owed = [*owed, 'later']",
        "except Exception as error:",
        "    print(type(error).__name__, error)",
        "store.close()",
        *read_at("image"),
        "assert seen == owed, f'{len(seen)} messages instead of {len(owed)}'",
    ]
