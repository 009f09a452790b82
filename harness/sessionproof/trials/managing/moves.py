"""Programs of a manager's calls, drawn as moves and laid out in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from sessionproof.contract.message import Json
from sessionproof.oracle.managing import EXACT_US
from sessionproof.workload.managing import APPEND, CREATE, CREATE_AGAIN, Step, Steps

Gap: TypeAlias = Literal["now", "soon", "within", "half", "before", "after", "back"]
"""How much time goes by before a call.

``within`` is less than the step in which accesses are written once. ``before`` is the last
millisecond in which the call's session lives, ``after`` the first in which it surely does not;
``back`` is the time at which it was last accessed.
"""

UPDATES = ("update_session", "update_parent_id", "set_chat_id")
ACCESSES = frozenset({"get_session", *UPDATES})
LOOKS = ("is_new_session", "get_parent_id")
LISTS = ("get_all_sessions", "get_active_sessions")
_ABOUT_ALL = frozenset(
    {"cleanup", "get_metrics", "get_session_count", "clear_all", "reopen", *LISTS}
)
_SOON_US = 1_234
_TEXTS = (
    "Hello",
    "Where is my order?",
    "Grüße, 你好 🙂",
    'it\'s "quoted"; --',
    "a\nb\tc",
    "x" * 300,
)


@dataclass(frozen=True, slots=True)
class Move:
    """One call. ``session`` counts those that were made; one too many is a session of nobody."""

    call: str
    session: int = 0
    gap: Gap = "now"
    arguments: Mapping[str, Json] = field(default_factory=dict)


@dataclass
class Line:
    """The time line of a program while it is laid out; without a clock it stands still."""

    limit_us: int
    step_us: int
    clock: bool
    now_us: int = 0
    last_us: dict[str, int] = field(default_factory=dict)

    def after(self, gap: Gap, name: str) -> int:
        """The time of a call that is made after such a gap."""
        if not self.clock:
            return 0
        last = self.last_us.get(name, self.now_us)
        match gap:
            case "soon":
                return self.now_us + _SOON_US
            case "within":
                return self.now_us + max(_SOON_US, self.step_us // 2)
            case "half":
                return self.now_us + self.limit_us // 2
            case "before":
                return max(self.now_us, last + self.limit_us - EXACT_US)
            case "after":
                return max(self.now_us, last + self.limit_us + self.step_us + EXACT_US)
            case "back":
                return last
        return self.now_us

    def is_alive(self, name: str) -> bool:
        """Whether the session surely lives."""
        last = self.last_us.get(name)
        return last is not None and self.now_us <= last + self.limit_us - EXACT_US


def laid_out(moves: Sequence[Move], line: Line) -> Steps:
    """The calls with their times and the names of their sessions, each first message another."""
    steps: list[Step] = []
    made = 0
    for move in moves:
        owned = move.call in (CREATE_AGAIN, APPEND)  # which nobody asks of a session of nobody
        if owned and not made:
            continue
        number = move.session % (made if owned else made + 1)
        name = f"s{made if move.call == CREATE else number}"
        name = "" if move.call in _ABOUT_ALL else name
        line.now_us = line.after(move.gap, name)
        arguments = dict(move.arguments)
        if move.call == CREATE:
            first = arguments.get("first_user_message")
            if isinstance(first, str):
                arguments["first_user_message"] = f"{first} #{made}"
            if "session_id" in arguments:
                arguments["session_id"] = f"own-{made}"
            made += 1
            line.last_us[name] = line.now_us
        elif move.call in ACCESSES and line.is_alive(name):
            line.last_us[name] = line.now_us
        steps.append(Step(line.now_us, move.call, name, arguments))
    return tuple(steps)


texts = st.sampled_from(_TEXTS)
_some = st.one_of(st.none(), texts)
_metadata: SearchStrategy[Json] = st.sampled_from(
    ({"plan": "free"}, {"n": 1, "deep": {"list": [1, None, "é"]}})
)
_changes = st.fixed_dictionaries(
    {},
    optional={
        "first_user_message": _some, "chat_id": _some, "parent_id": _some,
        "metadata": st.one_of(st.none(), _metadata),
    },
)  # fmt: skip


def _arguments(call: str) -> SearchStrategy[Mapping[str, Json]]:
    match call:
        case "create_session":
            return st.fixed_dictionaries(
                {}, optional={"first_user_message": texts, "chat_id": texts, "session_id": texts}
            )
        case "update_session":
            return _changes.map(lambda changes: {"changes": changes})
        case "update_parent_id":
            return st.fixed_dictionaries({"parent_id": _some})
        case "set_chat_id":
            return st.fixed_dictionaries({"chat_id": _some})
    return st.just({})


def moves_of(
    calls: Sequence[str], *, gaps: Sequence[Gap] = ("now",), sessions: int = 3
) -> SearchStrategy[Move]:
    """Moves of these calls."""
    gap = st.sampled_from(gaps)
    numbers = st.integers(0, sessions)
    each = [st.builds(Move, st.just(call), numbers, gap, _arguments(call)) for call in calls]
    return st.one_of(each)


def begun(*, sessions: int = 2) -> SearchStrategy[list[Move]]:
    """The sessions with which a program begins, up to so many."""
    create = st.builds(Move, st.just(CREATE), st.just(0), st.just("now"), _arguments(CREATE))
    return st.lists(create, min_size=1, max_size=sessions)
