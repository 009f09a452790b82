"""A cost that is too high as lines of Python: the store and raw SQLite in turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sessionproof.bench.floors import (
    AFTER,
    APPEND,
    CLEAN_UP,
    CREATE,
    DELETE,
    GET,
    MANAGE,
    MANAGED,
    NEWEST,
    SCHEMA,
    SET_PARENT,
    UNMANAGE,
    UPDATE,
    Synchronous,
)  # fmt: skip
from sessionproof.scripts.expressions import Unwritable, expression

_TURNS, _CALLS = 40, 5  # the median of so many turns does not hang on a few that were disturbed
_LOADED = 1_000
_NAME = "f'n{turn}-{number}'"


@dataclass(frozen=True)
class _Lines:
    """``before`` is done once, ``made`` before each turn; ``store`` and ``floor`` are timed."""

    store: Sequence[str]
    floor: Sequence[str]
    before: Sequence[str] = ()
    made: Sequence[str] = ()


def script_of_cost(
    operation: str,
    most: float,
    first: Sequence[str],
    *,
    synchronous: Synchronous,
    named_by_store: bool,
    together: bool,
    updates: str,
) -> list[str]:
    """Lines that fail while the operation costs more than ``most`` times raw SQLite.

    ``first`` sets ``s0``, a session that takes appends, and ``message``. ``together`` says whether
    the store takes many messages at once, ``updates`` which method stands for an update. Raises
    Unwritable for an operation of which there is no script.
    """
    lines = _lines(operation, named_by_store, together, updates)
    return [
        *first,
        "text = 'x' * 200",
        "file = tempfile.mkdtemp() + '/floor.db'",
        "floor = sqlite3.connect(file, isolation_level=None)",
        "floor.execute('PRAGMA journal_mode = WAL')",
        f"floor.execute('PRAGMA synchronous = {synchronous}')",
        f"floor.executescript({expression(' '.join(SCHEMA.split()))})",
        *lines.before,
        "ratios = []",
        f"for turn in range({_TURNS}):",
        *_indented(lines.made),
        "    spent = {}",
        "    for arm in random.sample(['store', 'floor'], 2):",
        "        start = time.perf_counter_ns()",
        f"        for number in range({_CALLS}):",
        "            if arm == 'store':",
        *_indented(lines.store, 4),
        "            else:",
        *_indented(lines.floor, 4),
        "        spent[arm] = time.perf_counter_ns() - start",
        "    ratios.append(spent['store'] / spent['floor'])",
        "floor.close()",
        "ratio = statistics.median(ratios)",
        f"print(f'{operation} costs {{ratio:.2f}} times raw SQLite')",
        f"assert ratio <= {most:g}, ratio",
    ]


def _lines(operation: str, named_by_store: bool, together: bool, updates: str) -> _Lines:
    loaded = _loaded(_LOADED, together)
    known = f"floor.execute({CREATE!r}, (s0,))"
    match operation:
        case "append":
            return _Lines(["store.append(s0, [message])"], [_done(APPEND, "s0, text")], loaded)
        case "get":
            return _Lines(["store.get(s0)"], [_got(GET, "s0,")], [*loaded, known])
        case "read_last":
            return _Lines(["store.read_last(s0, 50)"], [_got(NEWEST, "s0, 50")], loaded)
        case "page":
            store = "store.page(s0, cursor=cursor, limit=50)"
            return _Lines([store], [_got(AFTER, "s0, passed, 50")], [*loaded, *_MIDDLE])
        case "create":
            store = f"store.create({'' if named_by_store else _NAME})"
            return _Lines([store], [_done(CREATE, f"{_NAME},")])
        case "update" if updates == "set_state":
            store = "store.set_state(s0, 'draft', f'{text}{turn}')"
            return _Lines([store], [_done(UPDATE, "f'{text}{turn}', s0")], [*loaded, known])
        case "delete":
            return _deletes(named_by_store, together)
        case "open":
            return _opens(named_by_store)
    if operation in _MANAGING:
        return _MANAGING[operation]
    raise Unwritable(f"there are no lines for the cost of {operation}")


_MIDDLE = (
    "passed, cursor = 0, None",
    f"while passed < {_LOADED // 2 - 25} and (cursor is not None or not passed):",
    "    page = store.page(s0, cursor=cursor, limit=50)",
    "    passed, cursor = passed + len(page.messages), page.next",
)


def _deletes(named_by_store: bool, together: bool) -> _Lines:
    name = "store.create()" if named_by_store else _NAME
    fill = "store.append(name, [message] * 20)"
    made = [
        f"made = [{name} for number in range({_CALLS})]",
        "for name in made:",
        *_indented(
            [fill] if together else ["for _ in range(20):", "    " + fill.replace(" * 20", "")]
        ),
        f"    floor.execute({CREATE!r}, (name,))",
        f"    floor.executemany({APPEND!r}, [(name, text)] * 20)",
    ]
    return _Lines(["store.delete(made[number])"], [_done(DELETE, "made[number],")], made=made)


def _opens(named_by_store: bool) -> _Lines:
    return _Lines(
        ["other = open_store(there)", "other.read(name)", "other.close()"],
        [
            "floors = sqlite3.connect(file, isolation_level=None)",
            f"floors.execute({NEWEST!r}, (name, 1)).fetchall()",
            "floors.close()",
        ],
        [
            "there = Location(Path(tempfile.mkdtemp()))",
            "other = open_store(there)",
            f"name = {'other.create()' if named_by_store else repr('s')}",
            "other.append(name, [message])",
            "other.close()",
            f"floor.execute({APPEND!r}, (name, text))",
            "floor.close()",
        ],
    )


def _loaded(number: int, together: bool) -> list[str]:
    """So many messages in the store's session and in the floor's."""
    calls, batch = (number // 50, "[message] * 50") if together else (number, "[message]")
    return [
        f"for _ in range({calls}):",
        f"    store.append(s0, {batch})",
        "floor.execute('BEGIN')",
        f"floor.executemany({APPEND!r}, [(s0, text)] * {number})",
        "floor.execute('COMMIT')",
    ]


def _done(sql: str, values: str) -> str:
    return f"floor.execute({sql!r}, ({values}))"


def _got(sql: str, values: str) -> str:
    return f"{_done(sql, values)}.fetchall()"


def _indented(lines: Sequence[str], by: int = 1) -> list[str]:
    return [f"{'    ' * by}{line}" for line in lines]


_MADE = (
    "name = store.manager('create_session', {})['session_id']",
    f"floor.execute({MANAGE!r}, (name, 0, text))",
)
_MANAGING = {
    "generate_session_id": _Lines(
        ["store.manager('generate_session_id', {'message': text})"],
        ["hashlib.md5(text.encode()).hexdigest()"],
    ),
    "create_session": _Lines(
        ["store.manager('create_session', {'first_user_message': text})"],
        [_done(MANAGE, f"{_NAME}, 0, text")],
    ),
    "get_session": _Lines(
        ["store.manager('get_session', {'session_id': name})"], [_got(MANAGED, "name, -1")], _MADE
    ),
    "update_parent_id": _Lines(
        ["store.manager('update_parent_id', {'session_id': name, 'parent_id': f'{text}{turn}'})"],
        [_done(SET_PARENT, "f'{text}{turn}', 0, name")],
        _MADE,
    ),
    "delete_session": _Lines(
        ["store.manager('delete_session', {'session_id': made[number]})"],
        [_done(UNMANAGE, "made[number],")],
        made=[
            f"made = [store.manager('create_session', {{}})['session_id'] "
            f"for number in range({_CALLS})]",
            f"floor.executemany({MANAGE!r}, [(name, 0, text) for name in made])",
        ],
    ),
    "cleanup": _Lines(
        ["store.manager('cleanup', {})"],
        [_done(CLEAN_UP, "-1,")],
        [
            f"for number in range({_LOADED}):",
            "    name = store.manager('create_session', {})['session_id']",
            f"    floor.execute({MANAGE!r}, (name, 0, text))",
        ],
    ),
}  # sessions of a manager: sessions without messages, and clean-ups that find nothing
