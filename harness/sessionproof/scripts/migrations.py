"""Scripts of migrations: an old file that is taken over, and given back.

The lines use an open ``store``, which lends its code; ``old`` is the path of the file, ``target``
the directory of the new store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessionproof.contract.message import Message
from sessionproof.scripts.carried import carried
from sessionproof.scripts.expressions import Unwritable, expression, values

_TEXT_MOST = 60_000  # characters of a script that carries files
_TIME = "created_at_us"


def migrated_script(
    files: Mapping[str, bytes],
    name: str,
    *,
    words: str,
    sessions: Mapping[str, Sequence[Message]],
    stray: int,
    fields: Sequence[str],
    facts: Mapping[str, str | None],
    counts: bool,
) -> list[str]:
    """Fails as long as a message is lost or changed, a stray row is not told, or counts are wrong.

    ``fields`` are those of messages that the store keeps, ``facts`` the totals of sessions with
    the field that each adds up; ``counts``: there is ``count``.
    """
    plain = [field for field in fields if field != _TIME]
    wanted = values(
        [(key, [_told(one, plain) for one in messages]) for key, messages in sessions.items()]
    )
    times = values([(key, [one.created_at_us for one in sent]) for key, sent in sessions.items()])
    total = sum(map(len, sessions.values()))
    picked = ", ".join(f"m.{field}" for field in plain)
    lines = [
        *_carried(files, name, words),
        "target = Path(tempfile.mkdtemp())",
        "would = store.migrate(str(old), str(target), dry_run=True)",
        "assert not list(target.iterdir()), 'a dry run wrote'",
        "answer = store.migrate(str(old), str(target))",
        "assert answer.changed",
        "told = [(one.sessions, one.messages, one.set_aside) for one in (would, answer)]",
        "assert told[0] == told[1], told",
        f"assert answer.messages == {total}, answer",
        f"assert answer.sessions == {len(sessions)}, answer",
        f"assert answer.set_aside >= {stray}, answer",
        *(["assert answer.notes, 'nobody is told'"] if stray else []),
        f"wanted = dict({wanted})",
        *([f"times = dict({times})"] if _TIME in fields else []),
        "for again in range(2):",
        "    other = open_store(Location(target))",
        "    for key, messages in wanted.items():",
        "        there = other.read(key)",
        f"        seen = [({picked},) for m in there]",
        "        assert seen == messages, seen",
        *(_times() if _TIME in fields else []),
        *(["        assert other.count(key) == len(seen)"] if counts else []),
        *_facts(facts),
        "    other.close()",
        "    answer = store.migrate(str(old), str(target))",
        "    assert not answer.changed, answer",
    ]
    return _whole(lines)


def rolled_back_script(
    files: Mapping[str, bytes], name: str, *, words: str, made: Sequence[str], inside: bool
) -> list[str]:
    """Fails as long as the old file is not given back byte for byte.

    ``made`` are lines that append to an open ``store``. ``inside``: the file lies in the
    directory.
    """
    lines = [
        *_carried(files, name, words),
        "target = old.parent" if inside else "target = Path(tempfile.mkdtemp())",
        "before = {one.name: one.read_bytes() for one in old.parent.iterdir()}",
        "lender = store",
        "store.migrate(str(old), str(target))",
        "store = open_store(Location(target))",
        *made,
        "store.close()",
        "store = lender",
        "store.rollback(str(target))",
        "for name, data in before.items():",
        "    if data or name == old.name:",
        "        path = old.with_name(name)",
        "        assert path.is_file(), f'{name} is gone'",
        "        assert path.read_bytes() == data, f'{name} is not what it was'",
    ]
    return _whole(lines)


def _carried(files: Mapping[str, bytes], name: str, words: str) -> list[str]:
    return [
        "location = Location(Path(tempfile.mkdtemp()))",
        *carried((), files, words),
        f"old = location.root.joinpath({expression(name)})",
    ]


def _told(one: Message, fields: Sequence[str]) -> tuple[object, ...]:
    return tuple(getattr(one, field) for field in fields)


def _times() -> list[str]:
    return [
        "        for one, time in zip(there, times[key]):",
        "            assert time in (None, one.created_at_us), (one, time)",
    ]


def _facts(facts: Mapping[str, str | None]) -> list[str]:
    lines = ["        info = other.get(key)"] if facts else []
    for fact, field in facts.items():
        real = f"sum(one.{field} or 0 for one in there)" if field else "len(there)"
        lines.append(f"        assert info.{fact} in (None, {real}), info")
    return lines


def _whole(lines: list[str]) -> list[str]:
    length = sum(map(len, lines))
    if length > _TEXT_MOST:
        raise Unwritable(f"with the old file it has {length:,} characters")
    return lines
