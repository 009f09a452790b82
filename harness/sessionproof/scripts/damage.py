"""Scripts of damage: the damaged files, and what a store may show of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Read
from sessionproof.scripts.carried import carried
from sessionproof.scripts.crashes import fields_of, told_fields
from sessionproof.scripts.expressions import Unwritable, call, expression, values
from sessionproof.scripts.program import CLOSE, OPEN

_TEXT_MOST = 60_000  # characters of a script that carries files


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """Files that were damaged. ``sessions`` are logical names and what each had; the ids beside.

    ``words`` say what was done to which file.
    """

    folders: Collection[str]
    files: Mapping[str, bytes]
    words: str
    ids: Mapping[str, str]
    claims: Claims
    verifies: bool


def served_script(damaged: Damaged, name: str, expected: Sequence[Message]) -> list[str]:
    """Fails as long as a session is served otherwise than it was, and nobody says so."""
    told = told_fields(expected, damaged.claims, everything=True)
    wanted = values([fields_of(message, told) for message in expected])
    reading = [*_read(damaged, name, told), *_verified(damaged)]
    return _whole(
        damaged,
        [
            *_HEARING,
            *_tried(reading, "it is told"),
            f"wanted = {wanted}",
            "if seen != wanted:  # then somebody must have said so",
            "    assert problems or heard, f'damage is served: {seen}'",
        ],
    )


def refused_script(damaged: Damaged, file: str, clear: bool) -> list[str]:
    """Fails as long as the file is taken for a store, or is changed.

    ``clear`` says that there was an error, and the file was changed all the same.
    """
    reads: list[str] = []
    for session_id in damaged.ids.values():
        reads += ["with suppress(NotFound):  # that says nothing of the damage"]
        reads += [f"    {call(Read(''), expression(session_id))}"]
    lines = [
        f"before = location.root.joinpath({expression(file)}).read_bytes()",
        "raised = None",
        "try:",
        *(f"    {line}" for line in _opened(reads)),
        "except Exception as error:",
        "    raised = error",
        f"path = location.root.joinpath({expression(file)})",
        "assert path.is_file(), 'the file is gone'",
        "assert path.read_bytes() == before, 'the file was changed'",
    ]
    if not clear:
        lines += [
            f"assert raised, {damaged.words + ', and no error'!r}",
            "confused = (AttributeError, TypeError, NameError, LookupError, AssertionError)",
            "assert not isinstance(raised, confused), raised",
        ]
    return _whole(damaged, lines)


def alone_script(
    damaged: Damaged,
    name: str,
    others: Sequence[Message],
    *,
    message: Message,
    repairs: bool,
    what: str,
) -> list[str]:
    """Fails as long as one damaged record costs more than itself; ``what`` says which way.

    ``others`` are the messages of the session that are not damaged, ``message`` goes after them.
    ``repairs`` says that the store is to mend it first.
    """
    told = told_fields([*others, message], damaged.claims, everything=False)
    wanted = values([fields_of(one, told) for one in others])
    session = damaged.ids[name]
    reading = _read(damaged, name, told)
    if what == "unnoticed":
        lines = [*_HEARING, *_tried([*reading, *_verified(damaged)], "it is told")]
        lines += ["assert problems or heard, 'nobody says that a record is damaged'"]
        return _whole(damaged, lines)
    asked = []
    if what == "append":
        asked += [call(Append(name, (message,)), expression(session))]
        wanted += f" + [{expression(fields_of(message, told))}]"
    asked += reading
    lines = [
        "try:",
        *(f"    {line}" for line in [*(_repaired() if repairs else ()), *_opened(asked)]),
        "except Exception as error:",
        "    said = f'{type(error).__name__}: {error}'",
        "    raise AssertionError(f'one damaged record stops all: {said}') from error",
        f"wanted = {wanted}",
        "missing = [one for one in wanted if one not in seen]",
        "assert not missing, f'not read: {missing}'",
    ]
    return _whole(damaged, lines)


_HEARING = (
    "heard = []",
    "",
    "class Ear(logging.Handler):",
    "    def emit(self, record):",
    "        heard.append(record.getMessage())",
    "",
    "logging.getLogger().addHandler(Ear(logging.WARNING))",
    "warnings.showwarning = lambda message, *_, **__: heard.append(str(message))",
)


def _tried(lines: Sequence[str], end: str) -> Iterator[str]:
    """The lines with an open store, where an error is right and ends the script."""
    yield "problems = ()"
    yield "try:"
    yield from (f"    {line}" for line in _opened(lines))
    yield "except Exception as error:"
    yield f"    sys.exit(print('holds now: {end}:', error))"


def _opened(lines: Sequence[str]) -> Iterator[str]:
    """The lines with an open store, which is closed whatever happens: it may have threads."""
    yield OPEN
    yield "try:"
    yield from (f"    {line}" for line in lines)
    yield "finally:"
    yield f"    {CLOSE}"


def _read(damaged: Damaged, name: str, told: Sequence[str]) -> list[str]:
    picked = ", ".join(f"m.{field}" for field in told)
    each = picked if len(told) == 1 else f"({picked})"
    reads = call(Read(name), expression(damaged.ids[name]))
    return ["seen = []", "with suppress(NotFound):", f"    seen = [{each} for m in {reads}]"]


def _verified(damaged: Damaged) -> list[str]:
    return ["problems = store.verify().problems"] if damaged.verifies else []


def _repaired() -> list[str]:
    """The store's own repair of the location; a handle elsewhere lends its code."""
    return [
        "elsewhere = Location(Path(tempfile.mkdtemp()))",
        "store = open_store(elsewhere)",
        "store.repair(str(location.root), dry_run=False)",
        CLOSE,
    ]


def _whole(damaged: Damaged, lines: Sequence[str]) -> list[str]:
    carries = carried(damaged.folders, damaged.files, damaged.words)
    whole = [*carries, *lines]
    length = sum(map(len, whole))
    if length > _TEXT_MOST:
        raise Unwritable(f"with the damaged files it has {length:,} characters")
    return whole
