"""What a manager keeps of sessions: what was given, what was changed, what was removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from sessionproof.checks.managing import Judgement
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.managing import ManagedSession
from sessionproof.contract.message import Json
from sessionproof.trials.managing.course import Course
from sessionproof.trials.managing.moves import (
    LISTS,
    LOOKS,
    UPDATES,
    Line,
    Move,
    begun,
    laid_out,
    moves_of,
)
from sessionproof.trials.single import Trial
from sessionproof.workload.managing import (
    APPEND,
    CREATE,
    CREATE_AGAIN,
    READ,
    Steps,
    ask,
)

_LEAST, _MOST = 4, 14  # calls of a program beside those with which it begins
_COUNTS = ("get_session_count", "get_metrics", *LISTS)
_HELLO = "Hello, I need help with my order"


def created(trial: Trial) -> None:
    """MGR-02: what was given comes back, and is nobody else's; raises Broken."""
    _equal_beginnings(trial)
    course = Course(trial)
    plain = [
        Move(CREATE),
        Move(CREATE, arguments={"first_user_message": "Hello", "chat_id": "chat-1"}),
        Move(CREATE, arguments={"session_id": "own", "first_user_message": "Hello"}),
        *(Move("get_session", number) for number in range(4)),
        *(Move(CREATE_AGAIN, number) for number in range(3)),
        Move("get_all_sessions"),
    ]
    course.run(_standing(plain), lambda seen: seen.answers[CREATE])
    calls = (CREATE, CREATE_AGAIN, "get_session", "get_all_sessions")
    _search(course, calls, lambda seen: seen.answers[CREATE])


def changed(trial: Trial) -> None:
    """MGR-03: an update changes what it names, in one session; raises Broken."""
    course = Course(trial)
    fact: dict[str, Json] = {"metadata": {"plan": "free"}, "first_user_message": "Another"}
    moves = [
        *_two(),
        Move("update_session", 0, arguments={"changes": fact}),
        Move("update_parent_id", 0, arguments={"parent_id": "m-1"}),
        Move("set_chat_id", 1, arguments={"chat_id": "c-1"}),
        Move("update_parent_id", 0, arguments={"parent_id": "m-2"}),
        Move("get_parent_id", 0),
        Move("get_parent_id", 1),
        *(Move("get_session", number) for number in range(3)),
        *(Move(call, 2, arguments=_argument(call)) for call in UPDATES),
        Move("get_all_sessions"),
        Move("update_session", 0, arguments={"changes": {"parent_id": None}}),
        Move("set_chat_id", 1, arguments={"chat_id": None}),
        Move("get_session", 1),
        Move("update_session", 0, arguments={"changes": {"metadata": {"n": 1}}}),
        Move("get_session", 0),
    ]
    course.run(_standing(moves), _changes)
    _by_another(trial)
    _search(course, (*UPDATES, "get_session", "get_parent_id", "get_all_sessions"), _changes)


def _by_another(trial: Trial) -> None:
    """What another handle changes is seen by one that knew the session before."""
    if not trial.claims.at_least("handles", "threads"):
        return
    trial.store.fresh_location()
    here, other = trial.handle(), trial.store.another_handle()
    known, about = {"session_id": "own"}, "{'session_id': 'own'}"
    lines = [
        "store, other = open_store(location), open_store(location)",
        f"store.manager('create_session', {about})",
        f"store.manager('get_session', {about})",
        "other.manager('update_parent_id', {'session_id': 'own', 'parent_id': 'm-1'})",
    ]
    try:
        trial.require_ok(ask(here, CREATE, known), "create_session")
        trial.require_ok(ask(here, "get_session", known), "get_session")
        changed = ask(other, "update_parent_id", {**known, "parent_id": "m-1"})
        trial.require_ok(changed, "update_parent_id by another handle", lines)
        seen = ask(here, "get_parent_id", known), ask(here, "get_session", known)
    finally:
        other.close()
    for outcome in seen:
        trial.require_ok(outcome, "get_parent_id, get_session", lines)
    parents = [seen[0].value, getattr(seen[1].value, "parent_id", None)]
    trial.count(trial.guarantee.unit)
    trial.require(
        parents == ["m-1"] * 2, Anomaly.STALE_READ,
        did="create_session, get_session; update_parent_id by another handle; get_parent_id, "
        "get_session", expected="m-1, which the other handle set", seen=f"{parents}",
        script=[*lines, f"one = store.manager('get_parent_id', {about})",
                f"two = store.manager('get_session', {about}).get('parent_id')",
                "assert one == two == 'm-1', (one, two)", "other.close()", "store.close()"],
    )  # fmt: skip


def new_until_answered(trial: Trial) -> None:
    """MGR-04: a session is new until it has a parent id; raises Broken."""
    course = Course(trial)
    moves = [
        Move("is_new_session", 0),  # of nobody
        *_two(),
        *(Move("is_new_session", 0) for _ in range(2)),
        Move("update_parent_id", 0, arguments={"parent_id": "m-1"}),
        *(Move("is_new_session", number) for number in (0, 1, 2)),
        Move("get_parent_id", 0),
        Move("set_chat_id", 1, arguments={"chat_id": "c-1"}),
        Move("is_new_session", 1),
        Move("update_parent_id", 0, arguments={"parent_id": None}),
        Move("is_new_session", 0),
    ]
    course.run(_standing(moves), _looks)
    _search(course, (*LOOKS, *UPDATES), _looks)


def counted(trial: Trial) -> None:
    """MGR-05: counts, lists and metrics say what is there; raises Broken."""
    course = Course(trial)
    limit_us = course.limit_us()
    calls = [*_COUNTS, CREATE, "delete_session", "get_session"]
    if course.settable:
        calls.append("cleanup")
    moves = [
        *_two(),
        *map(Move, _COUNTS),
        Move("delete_session", 0),
        *map(Move, _COUNTS),
        *([Move("get_session_count", gap="after"), Move("get_active_sessions", 1, "half")]),
        *([Move("cleanup", gap="half"), Move("cleanup", gap="half"), *map(Move, _COUNTS)]),
    ]

    def line() -> Line:
        return Line(limit_us, course.step_us, course.settable)

    def counts(seen: Judgement) -> int:
        return sum(seen.answers[call] for call in _COUNTS)

    course.run(laid_out(moves, line()), counts)
    drawn = st.tuples(
        begun(),
        st.lists(
            moves_of(calls, gaps=("now", "soon", "half", "after")), min_size=_LEAST, max_size=_MOST
        ),
    )
    course.search(drawn.map(lambda made: laid_out([*made[0], *made[1]], line())), counts)


def removed(trial: Trial) -> None:
    """MGR-14: what is deleted is gone with its messages, and nothing else is; raises Broken."""
    course = Course(trial)
    both = [*_two(), Move(APPEND, 0), Move(APPEND, 0), Move(APPEND, 1)]
    looks = [*(Move(READ, number) for number in (0, 1)), Move("get_all_sessions")]
    again = [Move(CREATE_AGAIN, 0), *looks]  # what was left of the messages would be seen now
    one = [
        *both, Move("delete_session", 0), *looks, Move("delete_session", 0),
        Move("delete_session", 2), Move("get_session", 0), *again,
    ]  # fmt: skip
    every = [*both, Move("clear_all"), *looks, Move("clear_all"), Move(CREATE), *again]

    def removals(seen: Judgement) -> int:
        return sum(seen.answers[call] for call in ("delete_session", "clear_all"))

    course.run(_standing(one), removals)
    course.run(_standing(every), removals)
    calls = ("delete_session", "clear_all", "get_session", READ, "get_all_sessions", CREATE)
    drawn = st.lists(moves_of((*calls, CREATE_AGAIN)), min_size=_LEAST, max_size=_MOST)
    course.search(drawn.map(lambda made: _standing([*both, *made])), removals)


def _search(course: Course, calls: Sequence[str], count: Callable[[Judgement], int]) -> None:
    drawn = st.tuples(begun(sessions=3), st.lists(moves_of(calls), min_size=_LEAST, max_size=_MOST))
    course.search(
        drawn.map(lambda made: _standing([*made[0], *made[1]])),
        count,
    )


def _equal_beginnings(trial: Trial) -> None:
    """Two sessions that begin alike are two, unless it is claimed that they are one."""
    trial.store.fresh_location()
    given = {"first_user_message": _HELLO}
    ids = []
    for _ in range(2):
        made = ask(trial.handle(), CREATE, given)
        trial.require_ok(made, f"manager.create_session({_HELLO!r})")
        assert isinstance(made.value, ManagedSession)
        ids.append(made.value.session_id)
    trial.count(trial.guarantee.unit, 2)
    shared = trial.claims.ids_from_content
    compared = "==" if shared else "!="
    trial.require(
        (ids[0] == ids[1]) == shared,
        Anomaly.WRONG_ANSWER if shared else Anomaly.LEAK,
        did=f"manager.create_session({_HELLO!r}), twice",
        expected="one session: the ids are made of what is said first" if shared
        else "two sessions: two users may begin alike",
        seen=f"the ids {ids[0]!r} and {ids[1]!r}",
        script=[
            "store = open_store(location)",
            f"given = {given!r}",
            "one = store.manager('create_session', given)['session_id']",
            "other = store.manager('create_session', given)['session_id']",
            f"assert one {compared} other, (one, other)",
            "store.close()",
        ],
    )  # fmt: skip


def _two() -> list[Move]:
    return [
        Move(CREATE, arguments={"first_user_message": "Hello", "chat_id": "chat-1"}),
        Move(CREATE, arguments={"first_user_message": "Hello"}),
    ]


def _argument(call: str) -> dict[str, Json]:
    names = {"update_parent_id": "parent_id", "set_chat_id": "chat_id"}
    return {names[call]: "x"} if call in names else {"changes": {"chat_id": "x"}}


def _standing(moves: Sequence[Move]) -> Steps:
    """The moves with no time in between."""
    return laid_out(moves, Line(1, 0, clock=False))


def _changes(seen: Judgement) -> int:
    return sum(seen.answers[call] for call in UPDATES)


def _looks(seen: Judgement) -> int:
    return sum(seen.answers[call] for call in LOOKS)
