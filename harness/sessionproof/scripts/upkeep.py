"""Scripts of upkeep that a crash left half done: files before it, after it, and as it left them.

The files are those of the store as it was. Where they show the break, the script has it done again
under the tracer: a store that was mended leaves other files now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sessionproof.contract.claims import Claims, as_python
from sessionproof.contract.operations import Upkeep
from sessionproof.scripts.blocks import indented
from sessionproof.scripts.carried import carried
from sessionproof.scripts.expressions import Unwritable, values
from sessionproof.scripts.program import with_awaits

BEFORE, AFTER, LEFT = "before", "after", "left"
"""The folders of a script's files."""

_TEXT_MOST = 90_000  # characters of a script that carries files three times
_ELSEWHERE = ("restore", "repair", "migrate")  # done where no store is open
_AGAIN = "sessionproof.trials.crashes.upkeep_again"
_TOLD = 24  # characters that tell a message from others


@dataclass(frozen=True, kw_only=True)
class HalfDone:
    """What a crash in the middle of an upkeep left, and what is wrong with it.

    ``files`` lie below ``before``, ``after`` and ``left``, ``live`` in each is the location.
    ``scene`` is its name, ``wrong`` one of content, source, backups, again. ``entries`` are the
    backups that it left, ``older`` the one that was there before. ``answered`` says that it had
    been acknowledged. ``facts`` are the methods beside ``read`` that the store is asked by.
    """

    scene: str
    operation: Upkeep
    folders: Collection[str]
    files: Mapping[str, bytes]
    live: str
    made: str
    wrong: str
    answered: bool
    entries: Sequence[str]
    older: Sequence[str]
    facts: Collection[str]
    model: str
    anomaly: str
    claims: Claims | None = None
    awaited: Collection[str] = ()
    answer_s: float | None = None


def upkeep_script(half: HalfDone) -> tuple[str, ...]:
    """The lines of the script; raises Unwritable for one that is too long for a file of text."""
    text = with_awaits("\n".join(_lines(half)), half.awaited)
    if len(text) > _TEXT_MOST:
        raise Unwritable(f"with the files that the crash left it has {len(text):,} characters")
    return tuple(text.split("\n"))


def _lines(half: HalfDone) -> Iterator[str]:
    yield from carried(half.folders, half.files, "before it, after it, and as the crash left them")
    yield from _shown(half)
    if half.answer_s is not None:
        yield f"faulthandler.dump_traceback_later({half.answer_s:g}, exit=True)  # no answer"
    yield "try:"
    yield from indented(_checks(half))
    yield "except Exception as error:  # is it still so? It is done again, and is traced"
    yield from indented(_again(half))
    if half.answer_s is not None:
        yield "faulthandler.cancel_dump_traceback_later()"


def _shown(half: HalfDone) -> Iterator[str]:
    """A function that says what the store has in a folder."""
    begin = "async def" if half.awaited else "def"
    yield f"sessions = {values([*half.operation.looked_at])}"
    yield f"{begin} shown(place):"
    yield from indented(_opening("location.root / place"))
    yield "    try:"
    yield "        there = {}"
    yield "        for session in sessions:"
    yield "            with suppress(NotFound):"
    yield f"                told = [str(m.content)[:{_TOLD}] for m in store.read(session)]"
    if "get" in half.facts:
        yield "                facts = store.get(session)"
        yield "                told += [facts.message_count] if told and facts else []"
    yield "                there |= {session: told} if told else {}"
    if "verify" in half.facts:
        yield "        verified = store.verify()"
        yield "        there |= {'its own check': verified.ok}"
    if half.operation.method == "sweep":
        yield "        there |= {'a sweep ends': sorted(store.sweep().expired)}"
    if half.operation.method == "snapshot":
        yield "        for session in sessions:"
        yield "            found = store.snapshots(session)"
        yield "            for at, one in enumerate(found):"
        yield "                name = f'restored {at} {session}'"
        yield "                back = store.restore_snapshot(one.snapshot_id, session_id=name)"
        yield f"                told = [str(m.content)[:{_TOLD}] for m in store.read(back)]"
        yield "                there |= {f'snapshot {len(found) - at} of {session}': told}"
    yield "        return there"
    yield "    finally:"
    yield "        store.close()"


def _opening(place: str, store: str = "store") -> Iterator[str]:
    yield f"opened = {place}"
    yield "opened.mkdir(parents=True, exist_ok=True)"
    yield f"{store} = open_store(Location(opened))"


def _checks(half: HalfDone) -> Iterator[str]:
    """What must hold of what the crash left."""
    wait = "await " if half.awaited else ""
    live = {name: f"{wait}shown({f'{name}/{half.live}'!r})" for name in (BEFORE, AFTER, LEFT)}
    method, paths = half.operation.method, half.operation.paths
    if half.wrong == "source":
        inside = paths[0].startswith(f"{half.live}/")
        below = f"{LEFT}/{half.live}" if inside else f"{LEFT}/{paths[0].rpartition('/')[0]}"
        yield f"old = location.root.joinpath({f'{BEFORE}/{paths[0]}'!r}).read_bytes()"
        yield f"left = [one for one in location.root.joinpath({below!r}).rglob('*')]"
        yield "assert old in [one.read_bytes() for one in left if one.is_file()], left"
    elif half.wrong == "again":
        wanted = BEFORE if method == "backup" else AFTER
        yield f"wanted = {live[wanted]}"
        place = "lending" if method in _ELSEWHERE else f"{LEFT}/{half.live}"
        yield from _opening(f"location.root / {place!r}")
        given = ", ".join(f"str(location.root / {f'{LEFT}/{path}'!r})" for path in paths)
        options = "".join(f", {name}={value!r}" for name, value in half.operation.options.items())
        yield f"made = store.{method}({f'{given}{options}'.removeprefix(', ')})"
        if method == "backup":
            yield "restored = location.root / 'restored'"
            yield "restored.mkdir()"
            yield "store.restore(made, str(restored))"
        yield "store.close()"
        seen = f"{wait}shown('restored')" if method == "backup" else live[LEFT]
        yield from (f"seen = {seen}", "assert seen == wanted, seen")
    elif half.wrong == "backups":
        yield from _backup_checks(half, wait, live)
    elif half.answered or half.scene == "migrate in place":  # where nothing of it could be opened
        yield from (f"seen = {live[LEFT]}", f"assert seen == {live[AFTER]}, seen")
    else:
        yield f"seen, old, new = {live[LEFT]}, {live[BEFORE]}, {live[AFTER]}"
        yield "assert seen in (old, new), seen"


def _backup_checks(half: HalfDone, wait: str, live: Mapping[str, str]) -> Iterator[str]:
    """That each backup is refused or whole, and that one is there."""
    places = [
        *(f"{BEFORE}/{half.made}/{name}" for name in half.older),
        *(f"{LEFT}/{half.made}/{name}" for name in half.entries),
    ]
    older = len(half.older)
    yield f"whole, found = {live[BEFORE]}, []"
    yield from _opening("location.root / 'lending'", "other")
    yield f"for at, place in enumerate({values(places)}):"
    yield "    restored = location.root / f'restored-{at}'"
    yield "    restored.mkdir()"
    yield "    try:"
    yield "        other.restore(str(location.root / place), str(restored))"
    yield "    except Exception:"
    yield "        continue  # it is refused"
    yield f"    found.append({wait}shown(restored.name))"
    yield "other.close()"
    yield f"allowed, found = [whole, *found[:{older}]], found[{older}:]"
    yield "assert all(one in allowed for one in found), found"
    if half.older or half.answered:
        yield f"assert {'whole in found' if half.answered else 'found'}, 'there is no backup'"


def _again(half: HalfDone) -> Iterator[str]:
    yield f"from {_AGAIN} import still_half_done"
    asked = f"STORE, {half.scene!r}, model={half.model!r}, anomaly={half.anomaly!r}"
    if half.claims is not None:
        asked += f", {as_python(half.claims).replace(' ', '', 2)}"
    yield f"if not still_half_done({asked}):"
    yield "    sys.exit(print('holds now: a crash leaves it other files'))"
    yield "raise AssertionError(f'after the crash: {error}') from error"
