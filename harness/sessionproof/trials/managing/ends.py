"""When a manager's sessions end, what removes them, and what does not: by the store's clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import strategies as st

from sessionproof.checks.managing import Judgement
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.managing import ManagedSession
from sessionproof.contract.message import Json
from sessionproof.oracle.managing import EXACT_US
from sessionproof.trials.clocks import ZONES, zone
from sessionproof.trials.managing.course import BEGIN_US, Course, require_clock, times_of
from sessionproof.trials.managing.moves import (
    LISTS,
    LOOKS,
    UPDATES,
    Gap,
    Line,
    Move,
    begun,
    laid_out,
    moves_of,
)
from sessionproof.trials.single import Trial
from sessionproof.workload import lifetime
from sessionproof.workload.managing import APPEND, CREATE, CREATE_AGAIN, READ, REOPEN, Step, ask

_LEAST, _MOST = 4, 12  # moves of a drawn program
_GAPS: tuple[Gap, ...] = ("now", "soon", "within", "half", "before", "before", "after")
_ZONE = "Tokyo"
_MANY = 120  # more than a page of a list
_READS = 8
_PASSING = ("-shm", "-journal")  # what a reader may touch, and what is gone after a write


def slid(trial: Trial) -> None:
    """MGR-06: a session lives until its limit after the last access; raises Broken."""
    require_clock(trial)
    with zone(trial, ZONES[_ZONE]):
        _slid(Course(trial, zone=ZONES[_ZONE]), search=False)
    _slid(Course(trial), search=True)


def _slid(course: Course, *, search: bool) -> None:
    limit_us = course.limit_us()

    def line() -> Line:
        return Line(limit_us, course.step_us, clock=True)

    update: dict[str, dict[str, Json]] = {
        "set_chat_id": {"chat_id": "c"},
        "update_parent_id": {"parent_id": "p"},
        "update_session": {"changes": {"metadata": {"a": 1}}},
    }
    kept = [Move(call, 0, "before", update[call]) for call in UPDATES]
    moves = [
        Move(CREATE), Move(CREATE, gap="soon"), Move("get_session", 0, "half"),
        Move("get_session", 0, "before"), *kept, Move("get_session", 1),
        Move("get_session", 0, "before"), Move("get_session", 0, "after"),
    ]  # fmt: skip
    course.run(laid_out(moves, line()), _ends)
    stepped = [Move(CREATE), Move("get_session", 0, "within"), Move("get_session", 0, "before")]
    course.run(laid_out(stepped, line()), _ends)
    looked = [Move(CREATE), Move("get_session", 0, "before"), Move("is_new_session", 0, "before"),
              Move("get_session", 0, "before"), Move("set_chat_id", 0, "after", {"chat_id": "c"}),
              Move("get_session", 0), Move("is_new_session", 0)]  # fmt: skip
    course.run(laid_out(looked, line()), _ends)
    if search:
        calls = ("get_session", "get_session", *UPDATES, *LOOKS, "get_active_sessions")
        _search(course, calls, line, _ends)


def cleaned(trial: Trial) -> None:
    """MGR-07: a clean-up removes what is over, all of it, and nothing else; raises Broken."""
    require_clock(trial)
    course = Course(trial)
    limit_us = course.limit_us()

    def line() -> Line:
        return Line(limit_us, course.step_us, clock=True)

    def cleanups(seen: Judgement) -> int:
        return seen.answers["cleanup"]

    looks = [Move("get_session_count"), *map(Move, LISTS)]
    moves = [
        Move("cleanup"), Move(CREATE), Move(CREATE), Move(CREATE, gap="half"), Move("cleanup"),
        Move("get_session", 1, "before"), Move("cleanup"), *looks, Move("cleanup", 0, "half"),
        Move("get_session", 0, "after"), Move("cleanup"), *looks, Move("cleanup"), *looks,
        Move(CREATE), Move(CREATE), Move("get_metrics", gap="after"), Move("cleanup"), *looks,
    ]  # fmt: skip
    course.run(laid_out(moves, line()), cleanups)
    messages = [
        Move(CREATE), Move(APPEND, 0), Move("get_session_count", gap="half"),
        Move("cleanup", 0, "half"), Move("cleanup", 0, "half"), Move(CREATE_AGAIN, 0),
        Move(READ, 0),  # what was left of the messages would be seen now
    ]  # fmt: skip
    course.run(laid_out(messages, line()), cleanups)
    at_once = Line(limit_us, course.step_us, clock=True)
    many = laid_out([Move(CREATE)] * _MANY, at_once)
    at_us = limit_us + course.step_us + EXACT_US
    seen = ("get_session_count", *LISTS)
    over = tuple(Step(at_us, call) for call in ("get_all_sessions", "cleanup", *seen))
    course.run((*many, *(Step(0, call) for call in seen), *over), cleanups)
    calls = ("cleanup", "cleanup", "get_session", "get_session_count", *LISTS, CREATE)
    _search(course, calls, line, cleanups)


def looked(trial: Trial) -> None:
    """MGR-08: to look at a session neither ends it nor lets it live on; raises Broken."""
    require_clock(trial)
    course = Course(trial)
    limit_us = course.limit_us()

    def line() -> Line:
        return Line(limit_us, course.step_us, clock=True)

    looks = [Move(call, 0) for call in ("get_session", *LOOKS)]
    over = [Move(CREATE), Move("get_session", 0, "after"), *looks, *map(Move, LISTS)]
    parent = Move("update_parent_id", 0, arguments={"parent_id": "m"})
    for moves in (
        [*over, Move("get_session_count"), Move("get_metrics"), Move("cleanup"), Move("cleanup")],
        [*over[:1], parent, *over[1:], Move("get_parent_id", 0, "back"), *map(Move, LISTS)],
        [*over, Move("set_chat_id", 0, arguments={"chat_id": "c"}), Move("get_session", 0, "back")],
        [Move(CREATE), *(Move(call, 0, "before") for call in LOOKS), *map(Move, LISTS),
         Move("is_new_session", 0), Move("get_session", 0, "after"), Move("cleanup")],
    ):  # fmt: skip
        course.run(laid_out(moves, line()), _looks)
    if course.step_us:  # a step of 0 writes each access
        _leaves_files_alone(course)
    calls = (*LOOKS, *LISTS, "get_metrics", "get_session_count", "get_session")
    _search(course, calls, line, _looks)


def reopened(trial: Trial) -> None:
    """MGR-11, of instances that are closed: the next has all that the one had; raises Broken."""
    course = Course(trial)
    limit_us = course.limit_us()

    def line() -> Line:
        return Line(limit_us, course.step_us, course.settable)

    def openings(seen: Judgement) -> int:
        return seen.answers[REOPEN]

    facts: dict[str, Json] = {"changes": {"metadata": {"a": [1, None]}, "parent_id": "m-1"}}
    last: list[Move] = [Move("get_session", 0, "after")] if course.settable else []
    moves = [
        Move(CREATE, arguments={"first_user_message": "Hello", "chat_id": "c"}), Move(CREATE),
        Move("update_session", 0, arguments=facts),
        Move("set_chat_id", 1, arguments={"chat_id": "d"}),
        Move("get_session", 0, "half"), Move(REOPEN), Move("get_all_sessions"),
        Move("get_metrics"), Move("get_parent_id", 0), Move("get_session", 0, "before"),
        Move(REOPEN), *last, Move("get_session", 1), Move("get_session_count"),
    ]  # fmt: skip
    course.run(laid_out(moves, line()), openings)
    calls = (REOPEN, *UPDATES, "get_session", "get_all_sessions", "get_metrics", "delete_session")
    _search(course, calls, line, openings)


def _search(
    course: Course,
    calls: Sequence[str],
    line: Callable[[], Line],
    count: Callable[[Judgement], int],
) -> None:
    drawn = st.tuples(
        begun(), st.lists(moves_of(calls, gaps=_GAPS), min_size=_LEAST, max_size=_MOST)
    )
    course.search(drawn.map(lambda made: laid_out([*made[0], *made[1]], line())), count)


def _ends(seen: Judgement) -> int:
    return min(seen.over, seen.lived) + bool(seen.over and seen.lived)


def _looks(seen: Judgement) -> int:
    return seen.over


def _leaves_files_alone(course: Course) -> None:
    """Accesses within a step after the last one that is written are not written."""
    trial = course.trial
    trial.store.fresh_location()
    handle = trial.handle()
    trial.require_ok(lifetime.set_clock(handle, BEGIN_US), "set_clock")
    made = ask(handle, CREATE)
    trial.require_ok(made, "manager.create_session()")
    assert isinstance(made.value, ManagedSession)
    before = _files(trial.store.location.root)
    if not before:
        return
    for number in range(1, _READS + 1):
        now_us = BEGIN_US + course.step_us * number // (_READS + 2)
        trial.require_ok(lifetime.set_clock(handle, now_us), "set_clock")
        got = ask(handle, "get_session", {"session_id": made.value.session_id})
        trial.require_ok(got, "manager.get_session(s0)")
    after = _files(trial.store.location.root)
    otherwise = sorted(name for name in before | after if before.get(name) != after.get(name))
    trial.count(trial.guarantee.unit)
    trial.require(
        not otherwise,
        Anomaly.WRONG_ANSWER,
        did=f"get_session {_READS} times within {course.step_us / 1e6:g} s of create_session",
        expected="no file changes: accesses are written once in a step, as access_step_us claims",
        seen=f"these files changed: {', '.join(otherwise)}",
        script=_files_script(course),
    )


def _files(root: Path) -> dict[str, bytes]:
    """All that is written below a directory, by path."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith(_PASSING)
    }


def _files_script(course: Course) -> list[str]:
    times = times_of(course.trial, course.desk)
    step = course.step_us // (_READS + 2)
    return [
        "def files():",
        "    return {str(path): path.read_bytes() for path in Path(location.root).rglob('*')",
        f"            if path.is_file() and not path.name.endswith({_PASSING!r})}}",
        "",
        "",
        *times.begin(),
        *times.at(0),
        "s0 = store.manager('create_session', {})['session_id']",
        "before = files()",
        *(line for number in range(1, _READS + 1) for line in (
            *times.at(step * number), "store.manager('get_session', {'session_id': s0})")),
        "after = files()",
        "assert before == after, [name for name in after if before.get(name) != after[name]]",
        "store.close()",
    ]  # fmt: skip
