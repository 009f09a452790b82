"""``sessionproof snapshots``: sessions as they were: listed, shown, compared, taken, restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sessionproof.cli.places import StoredFiles
from sessionproof.cli.times import shown_time
from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message, to_json
from sessionproof.contract.snapshots import SnapshotInfo

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.reference import ReferenceStore
    from sessionproof.reference.moments.showing import Changed, Difference, Moment

T = TypeVar("T")

_TEXT_MOST = 200

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_directory = click.argument("directory", type=StoredFiles())
_snapshot = click.argument("snapshot_id", metavar="SNAPSHOT")


@click.group()
def snapshots() -> None:
    """Sessions as they were, in a directory with sessions.db: list, take, restore them."""


@snapshots.command("list")
@_directory
@click.argument("session", required=False)
@_json
def list_(directory: Path, *, session: str | None, as_json: bool) -> None:
    """List the snapshots of SESSION, also of one that is gone, or all; newest first.

    Exit codes: 0 done, 2 refused, 130 interrupted; so for each of these commands but diff.
    """
    _done(
        directory,
        lambda store: store.snapshots(session),
        as_json=as_json,
        to_json=lambda infos: {"snapshots": [asdict(one) for one in infos]},
        lines=_listed,
    )


@snapshots.command()
@_directory
@_snapshot
@_json
def show(directory: Path, *, snapshot_id: str, as_json: bool) -> None:
    """Print the session that SNAPSHOT holds: facts, limits, state, messages."""
    _done(
        directory,
        lambda store: store.read_snapshot(snapshot_id),
        as_json=as_json,
        to_json=_moment_json,
        lines=_shown,
    )


@snapshots.command()
@_directory
@_snapshot
@click.argument("other", required=False)
@_json
def diff(directory: Path, *, snapshot_id: str, other: str | None, as_json: bool) -> None:
    """Print what OTHER, a later snapshot, has otherwise; without it the session as it is now.

    Exit codes: 0 nothing is otherwise, 1 something is, 2 refused.
    """
    _done(
        directory,
        lambda store: store.compare_snapshots(snapshot_id, other),
        as_json=as_json,
        to_json=_difference_json,
        lines=_told,
        code=lambda found: 0 if found.none else 1,
    )


@snapshots.command()
@_directory
@click.argument("session")
@click.option("--reason", help="Why, in a sentence that is kept with it.")
@click.option(
    "--keep",
    type=click.IntRange(1),
    help="So many that were asked for stay; older ones of the session are removed.",
)
@_json
def take(
    directory: Path, *, session: str, reason: str | None, keep: int | None, as_json: bool
) -> None:
    """Keep SESSION as it is now; prints the id of the snapshot."""
    _done(
        directory,
        lambda store: store.snapshot(session, reason=reason, keep=keep),
        as_json=as_json,
        to_json=lambda made: {"snapshot": made},
        lines=lambda made: [made],
    )


@snapshots.command()
@_directory
@_snapshot
@click.option("--as", "session", help="Under this id instead of its own.")
@click.option(
    "--replace", is_flag=True, help="Also over newer messages, which are kept as a snapshot."
)
@_json
def restore(
    directory: Path, *, snapshot_id: str, session: str | None, replace: bool, as_json: bool
) -> None:
    """Make the session of SNAPSHOT as it was; prints the id of the session."""
    _done(
        directory,
        lambda store: store.restore_snapshot(snapshot_id, session_id=session, replace=replace),
        as_json=as_json,
        to_json=lambda made: {"session": made},
        lines=lambda made: [made],
    )


@snapshots.command()
@_directory
@_snapshot
@_json
def remove(directory: Path, *, snapshot_id: str, as_json: bool) -> None:
    """Remove SNAPSHOT for good."""

    def work(store: ReferenceStore) -> str:
        store.remove_snapshot(snapshot_id)
        return snapshot_id

    _done(
        directory, work, as_json=as_json, to_json=lambda gone: {"removed": gone},
        lines=lambda gone: [f"removed {gone}"],
    )  # fmt: skip


def _done(
    directory: Path,
    work: Callable[[ReferenceStore], T],
    *,
    as_json: bool,
    to_json: Callable[[T], dict[str, Any]],
    lines: Callable[[T], Sequence[str]],
    code: Callable[[T], int] = lambda _: 0,
) -> None:
    """Do the work on the store of the directory, print what came of it, and exit."""
    from sessionproof.cli.upkeep import Progress, carried_out, say
    from sessionproof.reference import ReferenceStore
    from sessionproof.reference.files import present
    from sessionproof.reference.opening import FILE

    def on_store(progress: Progress) -> T:
        progress(str(directory))
        file = present(directory)  # a wrong path makes nothing
        if file.name != FILE:
            raise Refused(f"{file} is no {FILE}: name the directory of a store")
        with ReferenceStore(file.parent) as store:
            return work(store)

    def show_lines(answer: T, console: Console) -> None:
        for line in lines(answer):
            say(console, line)

    click.get_current_context().exit(
        carried_out(on_store, as_json=as_json, to_json=to_json, show=show_lines, code=code)
    )


def _listed(infos: Sequence[SnapshotInfo]) -> list[str]:
    if not infos:
        return ["no snapshots"]
    return [
        f"{one.snapshot_id}  {_time(one.taken_at_us)}  {one.kind:<10}  "
        f"{one.message_count:>7,} messages  {_cut(one.session_id)}"
        + (f"  ({_cut(one.reason)})" if one.reason else "")
        for one in infos
    ]


def _shown(one: Moment) -> list[str]:
    facts = {
        name: value
        for name, value in asdict(one.session).items()
        if value is not None and name != "session_id"
    }
    facts |= {"idle_us": one.idle_us, "hard_deadline_us": one.hard_deadline_us}
    return [
        *(_listed([one.snapshot]) if one.snapshot else []),
        *(f"{name:<18} {_value(name, value)}" for name, value in facts.items() if value),
        *(f"state {key!r}: {_cut(repr(value))}" for key, value in one.state.items()),
        *(f"{seq:>6}  {_message(message)}" for seq, message in _numbered(one)),
    ]  # fmt: skip


def _numbered(one: Moment) -> Iterator[tuple[int, Message]]:
    return zip(one.seqs, one.messages, strict=True)


def _told(found: Difference) -> list[str]:
    lines = [*_changes(found)]
    return lines or ["nothing is otherwise"]


def _changes(found: Difference) -> Iterator[str]:
    for name, change in found.facts.items():
        yield f"~ {name}: {_was(change)}"
    for name, change in found.state.items():
        yield f"~ state {name!r}: {_was(change)}"
    for message in found.removed:
        yield f"- {_message(message)}"
    for change in found.edited:
        yield f"~ {_message(change.before)}"
        yield f"  {_message(change.after)}"
    for message in found.added:
        yield f"+ {_message(message)}"


def _was(change: Changed) -> str:
    return f"{_cut(repr(change.before))} -> {_cut(repr(change.after))}"


def _message(message: Message) -> str:
    said = message.content if message.content is not None else message.arguments
    text = said if isinstance(said, str) else repr(said)
    name = f" {message.name}" if message.name else ""
    return f"{message.role}{name}: {_cut(text)}"


def _value(name: str, value: Any) -> str:
    return _time(value) if name.endswith(("_at_us", "_activity_us", "_deadline_us")) else str(value)


def _time(us: int | None) -> str:
    return "" if us is None else shown_time(us, "%Y-%m-%dT%H:%M:%SZ")


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_MOST else f"{text[:_TEXT_MOST]}…"


def _moment_json(one: Moment) -> dict[str, Any]:
    return {
        "snapshot": None if one.snapshot is None else asdict(one.snapshot),
        "session": asdict(one.session),
        "idle_us": one.idle_us,
        "hard_deadline_us": one.hard_deadline_us,
        "state": dict(one.state),
        "seqs": list(one.seqs),
        "messages": [to_json(message) for message in one.messages],
    }


def _difference_json(found: Difference) -> dict[str, Any]:
    return {
        "facts": {name: asdict(change) for name, change in found.facts.items()},
        "state": {name: asdict(change) for name, change in found.state.items()},
        "added": [to_json(message) for message in found.added],
        "removed": [to_json(message) for message in found.removed],
        "edited": [[to_json(one.before), to_json(one.after)] for one in found.edited],
    }
