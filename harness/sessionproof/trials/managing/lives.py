"""What a manager does by itself, and what is left of it when it has ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from sessionproof.checks.managing import Judgement
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.location import Location
from sessionproof.contract.managing import CALLS, ManagedSession
from sessionproof.contract.message import Json
from sessionproof.contract.operations import Outcome
from sessionproof.contract.seed import generator
from sessionproof.host.client import HostedStore, open_hosted
from sessionproof.scripts.expressions import expression
from sessionproof.trials.managing.course import (
    BEGIN_US,
    Course,
    anomaly_of,
    require_clock,
    times_of,
)
from sessionproof.trials.managing.ends import reopened
from sessionproof.trials.managing.moves import UPDATES, Line, Move, laid_out
from sessionproof.trials.single import Trial
from sessionproof.workload import lifetime
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import Handle
from sessionproof.workload.managing import CREATE, KILL, ask

_INTERVAL_US = 50_000
_INTERVALS = 8  # without a clean-up, after which none is to come
_LOOK_S = 0.02
_SESSIONS = 3
_GRACE_S = 10.0  # for a process that has nothing left to do


def by_itself(trial: Trial) -> None:
    """MGR-09: the timer cleans up, once it is stopped no more, and ends with the process."""
    require_clock(trial)
    course = Course(trial)
    over_us = 2 * (course.limit_us() + course.step_us)
    trial.store.fresh_location()
    timer = _Timer(course)
    timer.sessions(0)
    timer.tell("start_cleanup", {"interval_us": _INTERVAL_US})
    timer.at(over_us)
    timer.must_clean()
    timer.sessions(over_us)
    timer.at(2 * over_us)
    timer.must_clean()  # once more: it was no single shot
    for often in (1, 2):  # started twice it is one timer
        for _ in range(often):
            timer.tell("start_cleanup", {"interval_us": _INTERVAL_US})
        timer.tell("stop_cleanup")
        timer.sessions(2 * often * over_us)
        timer.at((2 * often + 1) * over_us)
        timer.must_rest()
        timer.tell("start_cleanup", {"interval_us": _INTERVAL_US})
        timer.must_clean()
        timer.tell("stop_cleanup")
    _ends_with_its_process(trial)


class _Timer:
    """Calls about the timer, with the lines that do the same."""

    def __init__(self, course: Course) -> None:
        self.trial, self.times = course.trial, times_of(course.trial, course.desk)
        self.handle = self.trial.handle()
        self.lines = [*self.times.begin()]
        self.told: list[str] = []

    def at(self, at_us: int) -> None:
        """Go to this time."""
        self.lines += self.times.at(at_us)
        self.trial.require_ok(lifetime.set_clock(self.handle, BEGIN_US + at_us), "set_clock")

    def sessions(self, at_us: int) -> None:
        """Make some sessions at this time."""
        self.at(at_us)
        for _ in range(_SESSIONS):
            self.tell(CREATE)

    def tell(self, call: str, arguments: dict[str, Json] | None = None) -> None:
        """A call that must succeed."""
        self.lines.append(f"store.manager({call!r}, {arguments or {}!r})")
        self.told.append(call)
        self.trial.require_ok(ask(self.handle, call, arguments), call, self.lines)

    def must_clean(self) -> None:
        """Wait for the clean-up; raises Broken when none comes within the deadline of a call."""
        waits_s = self.trial.store.deadlines.operation_s
        until = monotonic_s() + waits_s
        left = self._count()
        while left and monotonic_s() < until:
            time.sleep(_LOOK_S)
            left = self._count()
        lines = [
            f"until = time.monotonic() + {min(waits_s, 10):g}",
            "while store.manager('get_session_count', {}) and time.monotonic() < until:",
            f"    time.sleep({_LOOK_S})",
            "assert store.manager('get_session_count', {}) == 0",
        ]
        self._require(not left, f"{_SESSIONS} sessions that are over are removed",
                      f"{left} are stored {waits_s:g} s later", lines)  # fmt: skip

    def must_rest(self) -> None:
        """Raises Broken when sessions are removed after the timer was stopped."""
        rest_s = _INTERVALS * _INTERVAL_US / 1e6
        time.sleep(rest_s)
        left = self._count()
        lines = [
            f"time.sleep({rest_s:g})",
            f"assert store.manager('get_session_count', {{}}) == {_SESSIONS}",
        ]
        self._require(left == _SESSIONS, "nothing is removed after stop_cleanup",
                      f"{_SESSIONS - left} sessions were removed", lines)  # fmt: skip

    def _count(self) -> int:
        counted = ask(self.handle, "get_session_count")
        self.trial.require_ok(counted, "get_session_count", self.lines)
        return int(counted.value)

    def _require(self, holds: bool, expected: str, seen: str, lines: Sequence[str]) -> None:
        self.lines += lines
        self.trial.count(self.trial.guarantee.unit)
        self.trial.require(
            holds, Anomaly.WRONG_ANSWER, did=", ".join(self.told[-6:]), expected=expected,
            seen=seen, script=[*self.lines, "store.close()"],
        )  # fmt: skip


def _ends_with_its_process(trial: Trial) -> None:
    """A process whose harness is gone ends, although a timer is on."""
    hosted = in_a_process(trial)
    try:
        handle = hosted.handle()
        trial.require_ok(ask(handle, "start_cleanup"), "start_cleanup")
        left = handle.lend("its harness goes", lambda store, _: _left(store))
        trial.require_ok(left, "start_cleanup, and the end of stdin")
        ended = str(left.value)
    finally:
        hosted.close()
    trial.count(trial.guarantee.unit)
    trial.require(
        ended.startswith("exit code"),
        Anomaly.LEFT_OPEN,
        did="start_cleanup, and then the process has nothing left to do",
        expected="it ends: the timer keeps no process alive",
        seen=f"it was there {_GRACE_S / 2:g} s later",
        script=_process_script(trial),
    )


def _left(store: HostedStore) -> str | None:
    return store.leave(_GRACE_S / 2)


def _process_script(trial: Trial) -> list[str]:
    if is_hosted(trial.store):
        return [
            "store = open_store(location)", "store.manager('start_cleanup', {})",
            f"ended = store.leave({_GRACE_S / 2:g})",
            "assert ended.startswith('exit code'), ended",
        ]  # fmt: skip
    return [
        "child = os.fork()",
        "if not child:",
        "    store = open_store(location)",
        "    store.manager('start_cleanup', {})",
        "    sys.exit(0)  # which waits for threads that are no daemons",
        f"until = time.monotonic() + {_GRACE_S / 2:g}",
        "ended, _ = os.waitpid(child, os.WNOHANG)",
        "while not ended and time.monotonic() < until:",
        "    time.sleep(0.05)",
        "    ended, _ = os.waitpid(child, os.WNOHANG)",
        "if not ended:",
        "    os.kill(child, signal.SIGKILL)",
        "    raise AssertionError('the process did not end')",
    ]


def in_a_process(trial: Trial) -> StoreUnderTest:
    """The store on locations of its own, each handle a process of its own; the caller closes it."""
    name = trial.store.spec.name
    spec = trial.store.spec
    if not is_hosted(trial.store):

        def hosted(location: Location) -> HostedStore:
            return open_hosted(name, location)

        spec = replace(spec, open=hosted)
    return StoreUnderTest(
        spec, trial.claims, parent=trial.store.location.root.parent,
        deadlines=trial.store.deadlines,
    )  # fmt: skip


def shut_down(trial: Trial) -> None:
    """MGR-10: after shutdown all is refused, and nothing is lost; raises Broken."""
    trial.store.fresh_location()
    handle = trial.handle()
    lines = [
        "store = open_store(location)",
        "s0 = store.manager('create_session', {})['session_id']",
        "store.manager('start_cleanup', {})",
        "store.manager('shutdown', {})",
    ]
    made = ask(handle, CREATE)
    trial.require_ok(made, "create_session", lines)
    for call in ("start_cleanup", "shutdown"):
        trial.require_ok(ask(handle, call), call, lines)
    assert isinstance(made.value, ManagedSession)
    known = made.value.session_id
    for call in (one for one in CALLS if one != "shutdown"):
        arguments = {**_sound(call), **({"session_id": known} if _about(call) else {})}
        _must_refuse(trial, handle, call, arguments, lines)
        trial.count(trial.guarantee.unit)
    trial.require_ok(ask(handle, "shutdown"), "shutdown, twice", [*lines, *lines[-1:]])
    if trial.claims.at_least("durability", "process"):
        trial.require_ok(trial.store.reopen(), "closed and opened again after shutdown",
                         [*lines, "store.close()", "store = open_store(location)"])  # fmt: skip
        there = ask(trial.handle(), "get_all_sessions")
        trial.require_ok(there, "get_all_sessions after shutdown, and the next opening")
        seen = [one.session_id for one in there.value]
        trial.require(
            seen == [known], Anomaly.LOST_SESSION,
            did="create_session, shutdown; opened again, get_all_sessions",
            expected="the session that was there", seen=f"{len(seen)} sessions",
            script=[*lines, "store.close()", "store = open_store(location)",
                    "seen = store.manager('get_all_sessions', {})",
                    "assert [one['session_id'] for one in seen] == [s0], seen"],
        )  # fmt: skip


def _sound(call: str) -> dict[str, Json]:
    """Arguments that the call takes."""
    return {
        "generate_session_id": {"message": "Hello"},
        "update_session": {"changes": {"chat_id": "c"}},
        "update_parent_id": {"parent_id": "m"},
        "set_chat_id": {"chat_id": "c"},
    }.get(call, {})  # type: ignore[return-value]


def _about(call: str) -> bool:
    return "session_id" in CALLS[call].parameters and call != CREATE


def _must_refuse(
    trial: Trial, handle: Handle, call: str, arguments: dict[str, Json], lines: Sequence[str]
) -> None:
    """Raise Broken unless the call is refused in one line."""
    shown = expression({**arguments, **({"session_id": "ID"} if _about(call) else {})})
    asked = f"store.manager({call!r}, {shown})".replace("'ID'", "s0")
    require_refused(
        trial, ask(handle, call, arguments), f"shutdown, then {call}",
        "it is refused: the manager is shut down", [*lines, *refused_lines(asked)],
    )  # fmt: skip


def require_refused(
    trial: Trial, outcome: Outcome, did: str, expected: str, script: Sequence[str]
) -> None:
    """Raise Broken unless a call was refused, by ``Refused`` and in one line."""
    failure = outcome.failure
    clear = failure is not None and outcome.type == "fail"
    if clear and failure is not None and len(failure.text.strip().splitlines()) == 1:
        return
    if failure is None:
        anomaly, seen = Anomaly.ACCEPTED_INVALID, f"it answered {outcome.value!r}"[:400]
    elif clear:
        anomaly, seen = Anomaly.WRONG_ANSWER, f"its text is not one line: {failure.text!r}"[:400]
    else:
        found = anomaly_of(outcome)
        special = found is not Anomaly.UNEXPECTED_REFUSAL
        anomaly = found if special else Anomaly.WRONG_ANSWER
        seen = str(failure)[:400]
    trial.require(
        False, anomaly, did=did, expected=f"{expected}, by Refused, in one line", seen=seen,
        script=script,
    )  # fmt: skip


def refused_lines(asked: str) -> list[str]:
    """Lines in which a call is refused as it must be."""
    return [
        "try:",
        f"    answer = {asked}",
        "except Refused as error:",
        "    assert len(str(error).strip().splitlines()) == 1, str(error)",
        "except Exception as error:",
        "    raise AssertionError(f'{type(error).__name__}: {error}') from error",
        "else:",
        "    raise AssertionError(f'it was not refused, and answered {answer!r}')",
    ]


def next_instance(trial: Trial) -> None:
    """MGR-11: the next instance has all, after a close and after a kill; raises Broken."""
    reopened(trial)
    _killed(trial)


def _killed(trial: Trial) -> None:
    hosted = in_a_process(trial)
    try:
        course = Course(trial, store=hosted, again=1)
        limit_us = course.limit_us()
        for number in range(min(trial.profile.kills, 3)):
            line = Line(limit_us, course.step_us, course.settable)
            course.run(laid_out(_with_a_kill(trial, number), line), _kills)
            if trial.time_is_up():
                return
    finally:
        hosted.close()


def _with_a_kill(trial: Trial, number: int) -> list[Move]:
    """Some sessions with facts, an access to one; a kill; and then all that can be seen."""
    random = generator(trial.seed, "killed", number)
    given: dict[str, dict[str, Json]] = {
        "update_session": {"changes": {"metadata": {"n": number}, "first_user_message": "Hi"}},
        "update_parent_id": {"parent_id": f"m-{number}"},
        "set_chat_id": {"chat_id": f"c-{number}"},
    }
    facts = [Move(call, random.randrange(3), "soon", given[call]) for call in UPDATES]
    random.shuffle(facts)
    create = Move(CREATE, arguments={"session_id": "own", "first_user_message": "Hello"})
    last = [Move("get_session", 1, "after")] if "set_clock" in trial.capabilities else []
    return [
        *[create] * 3, *facts, Move("get_session", 0, "half"), Move("delete_session", 2),
        Move(KILL), Move("get_all_sessions"), Move("get_session_count"),
        Move("get_session", 0, "before"), *last,
    ]  # fmt: skip


def _kills(seen: Judgement) -> int:
    return seen.answers[KILL]
