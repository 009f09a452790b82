"""The rows of the performance table: what a store is timed at, and the floor that does the same.

To add a row, add an entry to ``ROWS``. Its function is called once, in the thread of the store,
tries the call, and gives the two sides; what they need is made outside the timed part.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from sessionproof.bench.client import Client
from sessionproof.contract.clock import monotonic_s

LAST = 50  # messages of a look at the end, and of a page
DELETED = 20  # messages of a session that is deleted, fewer in a slow store
_WALKED_S = 1.0  # what the way to the middle of a session may take
_FILLED_S = 0.1  # what filling one session may take
_MANAGED_S = 0.25  # what as many messages as there are managed sessions may take
_MANAGED_MOST_S = 3.0  # what making these may take
TURNOVER = 200  # appends to one session before the next is made

Arguments: TypeAlias = Callable[[int], Iterable[tuple[Any, ...]]]
"""Makes the arguments of so many calls."""


@dataclass(frozen=True)
class Side:
    """``call`` is timed, and may answer an awaitable; ``arguments`` are made before."""

    call: Callable[..., Any]
    arguments: Arguments


@dataclass(frozen=True)
class Pair:
    """Both sides of a row, and in a few words what they work on."""

    store: Side
    floor: Side
    note: str = ""


@dataclass(frozen=True)
class Row:
    """``operation`` is its name, as in a claim of costs.

    ``needs`` are capabilities, any of which will do; none where the core has it.
    """

    operation: str
    needs: tuple[str, ...]
    pair: Callable[[Client], Pair]


def rows_for(capabilities: frozenset[str]) -> list[Row]:
    """The rows that a store with these capabilities has."""
    return [row for row in ROWS if not row.needs or capabilities.intersection(row.needs)]


def each(make: Callable[[], tuple[Any, ...]]) -> Arguments:
    """Arguments made anew for each call."""
    return lambda number: [make() for _ in range(number)]


def always(*given: Any) -> Arguments:
    """The same arguments for each call."""
    return lambda number: itertools.repeat(given, number)


def _append(client: Client) -> Pair:
    filled = min(client.held, int(_FILLED_S / client.message_s))

    def of_store() -> str:
        name = client.made()
        if filled:
            client.fill(name, client.some(filled))
        return name

    def of_floor() -> str:
        name = next(client.names)
        client.floor.append_many(name, client.some(filled))
        return name

    return Pair(
        Side(client.store.append, _in_turn(of_store, lambda: [client.said(next(client.texts))])),
        Side(client.floor.append, _in_turn(of_floor, lambda: next(client.texts))),
        f"in a session of {filled:,} to {filled + TURNOVER:,} messages",
    )


def _in_turn(session: Callable[[], str], what: Callable[[], Any]) -> Arguments:
    """Appends to one session after the other, ``TURNOVER`` at most to each of them.

    What an append costs may hang on what is there, so that is always about the same.
    """
    name, used = session(), 0

    def make(number: int) -> list[tuple[Any, ...]]:
        nonlocal name, used
        if used + number > TURNOVER:
            name, used = session(), 0
        used += number
        return [(name, what()) for _ in range(number)]

    return make


def _get(client: Client) -> Pair:
    client.do("get", client.session)
    given = always(client.session)
    return Pair(Side(client.store.get, given), Side(client.floor.get, given))


def _count(client: Client) -> Pair:
    client.do("count", client.session)
    given = always(client.session)
    note = f"{client.held:,} messages, which the floor counts one by one"
    return Pair(Side(client.store.count, given), Side(client.floor.count, given), note)


def _read_last(client: Client) -> Pair:
    got = len(client.do("read_last", client.session, LAST))
    return Pair(
        Side(client.store.read_last, always(client.session, LAST)),
        Side(client.floor.read_last, always(client.session, got)),
        f"{got} of {client.held:,} messages",
    )


def _page(client: Client) -> Pair:
    passed, cursor, middle = 0, None, (client.held - LAST) // 2
    until = monotonic_s() + _WALKED_S
    while passed < middle and monotonic_s() < until:
        page = client.do("page", client.session, cursor=cursor, limit=LAST)
        if page.next is None or not page.messages:
            break
        passed, cursor = passed + len(page.messages), page.next
    got = len(client.do("page", client.session, cursor=cursor, limit=LAST).messages)
    page_of = client.store.page
    return Pair(
        Side(lambda name: page_of(name, cursor=cursor, limit=LAST), always(client.session)),
        Side(client.floor.page, always(client.session, passed, got)),
        f"{got} messages after the first {passed:,} of {client.held:,}",
    )


def _create(client: Client) -> Pair:
    client.created()
    named = each(lambda: (next(client.names),))
    given = always(None) if client.named_by_store else named
    return Pair(Side(client.store.create, given), Side(client.floor.create, named))


def _update(client: Client) -> Pair:
    if "set_state" in client.capabilities:
        client.do("set_state", client.session, "draft", next(client.texts))
        given = each(lambda: (client.session, "draft", next(client.texts)))
        store, note = Side(client.store.set_state, given), "set_state"
    else:
        message_id = client.do("read", client.session)[-1].id
        client.do("edit_message", client.session, message_id, client.said(next(client.texts)))
        given = each(lambda: (client.session, message_id, client.said(next(client.texts))))
        store, note = Side(client.store.edit_message, given), "edit_message"
    floor = each(lambda: (client.session, next(client.texts)))
    return Pair(store, Side(client.floor.update, floor), note)


def _delete(client: Client) -> Pair:
    number = max(1, min(DELETED, int(_FILLED_S / client.message_s)))

    def of_store() -> tuple[str]:
        name = client.made()
        client.fill(name, client.some(number))
        return (name,)

    def of_floor() -> tuple[str]:
        name = next(client.names)
        client.floor.create(name)
        client.floor.append_many(name, client.some(number))
        return (name,)

    client.do("delete", *of_store())
    return Pair(
        Side(client.store.delete, each(of_store)),
        Side(client.floor.delete, each(of_floor)),
        f"sessions of {number} messages",
    )


def _open(client: Client) -> Pair:
    opening = client.opening
    if opening is None:
        raise ValueError("a client without a way to open its store cannot be timed at it")
    return Pair(
        Side(opening.store, always()),
        Side(opening.floor, always()),
        "opened, one message read, closed",
    )


MANAGED = 1_000
"""Managed sessions beside which a clean-up is timed, fewer in a slow store."""


def _managing(client: Client, call: str) -> Callable[[dict[str, Any]], Any]:
    """The manager's call as a function of its arguments."""
    manager = client.store.manager
    return lambda arguments: manager(call, arguments)


def _managed(client: Client) -> tuple[str, str]:
    """A new session of the manager, and one of the floor."""
    name, text = next(client.names), next(client.texts)
    client.floor.manage(name, 0, text)
    made = client.do("manager", "create_session", {"first_user_message": text})
    return str(made["session_id"]), name


def _generate_session_id(client: Client) -> Pair:
    client.do("manager", "generate_session_id", {"message": next(client.texts)})
    return Pair(
        Side(
            _managing(client, "generate_session_id"),
            each(lambda: ({"message": next(client.texts)},)),
        ),
        Side(
            lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
            each(lambda: (next(client.texts),)),
        ),
        "the floor is hashlib's MD5",
    )


def _create_session(client: Client) -> Pair:
    _managed(client)
    return Pair(
        Side(
            _managing(client, "create_session"),
            each(lambda: ({"first_user_message": next(client.texts)},)),
        ),
        Side(client.floor.manage, each(lambda: (next(client.names), 0, next(client.texts)))),
    )


def _get_session(client: Client) -> Pair:
    session, name = _managed(client)
    client.do("manager", "get_session", {"session_id": session})
    return Pair(
        Side(_managing(client, "get_session"), always({"session_id": session})),
        Side(client.floor.managed, always(name, -1)),
        "the floor writes no access",
    )


def _update_parent_id(client: Client) -> Pair:
    session, name = _managed(client)

    def given() -> tuple[dict[str, Any]]:
        return ({"session_id": session, "parent_id": next(client.texts)},)

    client.do("manager", "update_parent_id", *given())
    return Pair(
        Side(_managing(client, "update_parent_id"), each(given)),
        Side(client.floor.set_parent, each(lambda: (name, next(client.texts), 0))),
    )


def _delete_session(client: Client) -> Pair:
    made: list[str] = []  # by the floor, for each session that the store made

    def of_store() -> tuple[dict[str, Any]]:
        session, name = _managed(client)
        made.append(name)
        return ({"session_id": session},)

    def of_floor() -> tuple[str]:
        if not made:
            made.append(next(client.names))
            client.floor.manage(made[0], 0, next(client.texts))
        return (made.pop(),)

    client.do("manager", "delete_session", *of_store())
    client.floor.unmanage(*of_floor())
    return Pair(
        Side(_managing(client, "delete_session"), each(of_store)),
        Side(client.floor.unmanage, each(of_floor)),
        "sessions without messages",
    )


def _cleanup(client: Client) -> Pair:
    number = max(1, min(MANAGED, int(_MANAGED_S / client.message_s)))
    until, made = monotonic_s() + _MANAGED_MOST_S, 0
    while made < number and monotonic_s() < until:
        _managed(client)
        made += 1
    client.do("manager", "cleanup", {})
    return Pair(
        Side(_managing(client, "cleanup"), always({})),
        Side(client.floor.clean_up, always(-1)),
        f"nothing is over, among {made:,} sessions and more",
    )


ROWS = (
    Row("append", (), _append),
    Row("get", ("get",), _get),
    Row("read_last", ("read_last",), _read_last),
    Row("page", ("page",), _page),
    Row("count", ("count",), _count),
    Row("create", ("create",), _create),
    Row("update", ("set_state", "edit_message"), _update),
    Row("delete", ("delete",), _delete),
    Row("generate_session_id", ("manager",), _generate_session_id),
    Row("create_session", ("manager",), _create_session),
    Row("get_session", ("manager",), _get_session),
    Row("update_parent_id", ("manager",), _update_parent_id),
    Row("delete_session", ("manager",), _delete_session),
    Row("cleanup", ("manager",), _cleanup),
    Row("open", (), _open),
)
