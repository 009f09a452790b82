"""What a store promises beyond the bare contract. Only what is claimed can be broken."""

from __future__ import annotations

import math
import types
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from sessionproof.contract.lifetime import STATUSES
from sessionproof.contract.message import MESSAGE_FIELDS

HANDLES = ("one", "tasks", "threads", "processes")
DURABILITY = ("none", "process", "power", "power-strict")
CONSISTENCY = ("none", "session", "linearizable")
ACTIVITY = frozenset(
    {
        "append", "touch", "get", "read", "read_last", "page", "count", "delete_message",
        "edit_message", "pop_last", "replace", "clear", "set_state", "get_state", "search",
    }
)  # fmt: skip
FINDS = frozenset({"cjk", "code"})
TRANSITIONS = frozenset(f"{one}>{other}" for one in STATUSES for other in STATUSES if one != other)
_SETS = ("keeps", "roles", "kinds", "activity", "transitions", "finds")
COSTS = (
    "append", "get", "read_last", "page", "create", "update", "delete", "open",
    "generate_session_id", "create_session", "get_session", "update_parent_id", "delete_session",
    "cleanup",
)  # fmt: skip
_AMOUNTS = (
    "writers", "content_bytes", "id_bytes", "batch_bytes", "retention", "access_step_us",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the store documents that it does not take, in bytes of UTF-8 unless said otherwise.

    ``retention`` is the number of newest messages that a session keeps; ``nul`` and ``surrogates``
    say whether texts with U+0000 and with lone surrogates are taken. ``first_messages`` says
    whether ``create`` takes messages; a method without that parameter says so by itself.
    """

    content_bytes: int | None = None
    id_bytes: int | None = None
    batch_bytes: int | None = None
    retention: int | None = None
    nul: bool = True
    surrogates: bool = True
    first_messages: bool = True


@dataclass(frozen=True, kw_only=True)
class Claims:
    """A store's promises. Each default is the weakest, so that silence promises nothing.

    ``keeps``: fields of a message that come back equal. ``roles``, ``kinds``: those that it takes.
    ``validates``: unknown roles, negative numbers and wrong types are refused.
    ``missing_session``: what an append to an unknown session does. Silence is ``creates`` where the
    caller names sessions, as he can begin one by nothing else; where the store does, it is nothing.
    ``session_ids``: who names a session. ``writes``: ``replace`` when the unit that the store
    writes is the whole conversation. ``atomic_batches``: an append lands whole or not at all.
    ``order``: reads follow the appends, or the messages' own times.
    ``handles``: by whom one location may be open at the same time. ``shared_handle``: one handle
    may be used by all of them. ``writers``: so many at once without an error. ``fair``: none
    of them waits for ever. ``concurrent_readers``: readers go on while a writer works.
    ``consistency`` and ``durability``: levels, whose types list them from the weakest on.
    ``seq_start``: number of a session's first message, None when there are no numbers;
    ``seq_after_delete``: whether the numbers of deleted newest messages are given again.
    ``ids_from_content``: ids that the store gives are made of the first messages, so equal
    beginnings share a session. ``on_delete_in_use``: what removing an LLM's model does while
    sessions name it: it is refused, or they name none afterwards. ``on_delete_user``: what removing
    a user does while sessions are his: it is refused, or they are deleted with him.
    ``private_files``: files that the store makes are readable by their owner alone.
    ``missing_folder``: what opening a location does whose folder is not there: it is refused, or
    the folder is made.
    ``checksums``: content that changed by itself, by a fault of the disk, is found by ``verify`` or
    by reading it. ``erases``: a message that is removed leaves the table of messages: no row stays
    there that no read answers.
    ``activity``: the methods that move a session's last activity, and with it the end of its idle
    limit. ``warns``: a sweep tells of sessions before they expire. ``expires``: whether a session
    past its limit refuses messages at once, or from the next sweep on. ``after_expiry``: whether
    its messages can be read then. ``transitions``: the moves of a status that are taken, as in
    ``active>paused``; to expire by a limit is none of them. ``restore_over_live``: what restoring
    a snapshot does where its session has messages that the snapshot has not: it is refused, or
    puts the snapshot in their place. ``search_order``: newest messages first, or the best first.
    ``isolation``: what transactions over several sessions (``transact``) promise: each sees one
    moment (``snapshot``), one order explains all (``serializable``), which is true to real time.
    ``access_step_us``: a session manager writes accesses to a session so seldom, so that a session
    may live this much longer than its limit says; None: it writes each.
    ``finds``: what a search finds beside words of letters: ``cjk`` (words inside texts without
    blanks), ``code`` (``C++``, ``foo_bar``, ``x->y``).
    ``costs``: for operations by name, the most that a call costs, as a multiple of what raw SQLite
    needs for the same in the same rounds; what is not named is not promised.
    ``sources``: for each claim by name, the address of the sentence that makes it.
    """

    keeps: Set[str] = frozenset({"role", "content"})
    roles: Set[str] = frozenset({"user", "assistant"})
    kinds: Set[str] = frozenset({"text"})
    validates: bool = False
    missing_session: Literal["creates", "refuses"] | None = None
    session_ids: Literal["caller", "store"] = "caller"
    writes: Literal["append", "replace"] = "append"
    atomic_batches: bool = False
    order: Literal["append", "timestamp"] = "append"
    handles: Literal["one", "tasks", "threads", "processes"] = "one"
    shared_handle: bool = False
    writers: int | None = None
    fair: bool = False
    concurrent_readers: bool = False
    consistency: Literal["none", "session", "linearizable"] = "none"
    durability: Literal["none", "process", "power", "power-strict"] = "none"
    seq_start: int | None = None
    seq_after_delete: Literal["reuse", "never"] | None = None
    ids_from_content: bool = False
    on_delete_in_use: Literal["refuses", "cascades"] | None = None
    on_delete_user: Literal["refuses", "cascades"] | None = None
    private_files: bool = False
    missing_folder: Literal["refuses", "makes"] | None = None
    checksums: bool = False
    erases: bool = False
    activity: Set[str] = frozenset({"append"})
    warns: bool = False
    expires: Literal["at_once", "by_sweep"] = "by_sweep"
    after_expiry: Literal["readable", "gone"] = "readable"
    transitions: Set[str] = frozenset()
    restore_over_live: Literal["refuses", "replaces"] | None = None
    search_order: Literal["newest", "best"] | None = None
    isolation: Literal["snapshot", "serializable", "strict-serializable"] | None = None
    access_step_us: int | None = None
    finds: Set[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    costs: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = []
        if self.missing_session is None and self.session_ids == "caller":
            object.__setattr__(self, "missing_session", "creates")
        for name in _SETS:  # any iterable of names will do for the writer
            value = getattr(self, name)
            if isinstance(value, Iterable) and not isinstance(value, str):
                value = tuple(value)
            if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
                object.__setattr__(self, name, frozenset(value))
            else:
                problems.append(f"claim {name} must be a set of names; got {value!r}")
                object.__setattr__(self, name, frozenset())
        problems += _problems(self) + _cost_problems(self.costs)
        if problems:
            raise ValueError("; ".join(problems))

    def at_least(self, name: str, level: str) -> bool:
        """Whether an ordered claim (handles, durability, consistency) reaches ``level``."""
        order = {"handles": HANDLES, "durability": DURABILITY, "consistency": CONSISTENCY}[name]
        return order.index(getattr(self, name)) >= order.index(level)


def required(claims: Claims, requirement: str) -> Claims:
    """``claims`` with one claim set by text, as in ``--require durability=process``.

    Limits are named ``limits.retention``, costs ``costs.append``; sets are comma-separated.
    Raises ValueError in one sentence that says what may stand there.
    """
    name, separator, text = requirement.partition("=")
    if not separator:
        raise ValueError(f"{requirement!r} is no NAME=LEVEL, as in durability=process")
    if name.startswith("limits."):
        limit = name.removeprefix("limits.")
        value = _parse(Limits, limit, text, shown=name)
        return replace(claims, limits=replace(claims.limits, **{limit: value}))
    if name.startswith("costs."):
        try:
            most = float(text)
        except ValueError:
            raise ValueError(f"claim {name} must be a number, as in costs.append=3") from None
        return replace(claims, costs={**claims.costs, name.removeprefix("costs."): most})
    return replace(claims, **{name: _parse(Claims, name, text, shown=name)})


def claims_to_json(claims: Claims) -> dict[str, Any]:
    """The claims as a JSON object: sets sorted, limits as an object, defaults included."""
    out: dict[str, Any] = {}
    for item in fields(claims):
        value = getattr(claims, item.name)
        if isinstance(value, frozenset):
            value = sorted(value)
        elif isinstance(value, Limits):
            value = {part.name: getattr(value, part.name) for part in fields(value)}
        elif isinstance(value, Mapping):
            value = dict(value)
        out[item.name] = value
    return out


def claims_from_json(value: object) -> Claims:
    """The inverse of ``claims_to_json``; absent names take their defaults.

    Raises ValueError that lists all that is wrong.
    """
    if not isinstance(value, dict):
        raise ValueError(f"claims must be a JSON object, not {type(value).__name__}")
    names = {item.name for item in fields(Claims)}
    unknown = sorted(map(str, value.keys() - names))
    problems = [f"unknown claims: {', '.join(unknown)}"] if unknown else []
    given = {name: value[name] for name in value if name in names}
    if "limits" in given:
        limits = given["limits"]
        known = {item.name for item in fields(Limits)}
        if isinstance(limits, dict) and limits.keys() <= known:
            given["limits"] = Limits(**limits)
        else:
            problems.append(f"claim limits must be an object of {', '.join(sorted(known))}")
            del given["limits"]
    for name in given.keys() & set(_SETS):
        if not isinstance(given[name], list):
            problems.append(f"claim {name} must be a list of names")
            del given[name]
    try:
        claims = Claims(**given)
    except ValueError as error:
        problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))
    return claims


def as_python(claims: Claims) -> str:
    """A line that can be pasted into an adapter: only what differs from the defaults."""
    return f"claims = {_expression(claims)}"


def _expression(part: Claims | Limits) -> str:
    silent = {**vars(type(part)())}
    if isinstance(part, Claims):  # what silence says of an unknown session hangs on the ids
        silent |= {"missing_session": Claims(session_ids=part.session_ids).missing_session}
    shown = []
    for item in fields(part):
        value = getattr(part, item.name)
        if value == silent[item.name]:
            continue
        text = repr(value)
        if isinstance(value, Limits):
            text = _expression(value)
        elif isinstance(value, frozenset):
            text = "{" + ", ".join(map(repr, sorted(value))) + "}"
        elif isinstance(value, Mapping):
            text = repr(dict(value))
        shown.append(f"{item.name}={text}")
    return f"{type(part).__name__}({', '.join(shown)})"


_hints = cache(get_type_hints)  # a store may be opened often


def _problems(claims: Claims) -> list[str]:
    problems = []
    for owner, prefix in ((claims, ""), (claims.limits, "limits.")):
        if prefix and not isinstance(owner, Limits):
            problems.append("claim limits must be Limits(…)")
            continue
        hints = _hints(type(owner))  # type: ignore[arg-type]
        for item in fields(owner):
            value = getattr(owner, item.name)
            allowed = _allowed(hints[item.name])
            if allowed is not None and not any(_fits(value, one) for one in allowed):
                words = ", ".join(_word(one) for one in allowed)
                problems.append(f"claim {prefix}{item.name} must be one of {words}; got {value!r}")
            elif item.name in _AMOUNTS and value is not None and value < 0:
                problems.append(f"claim {prefix}{item.name} must not be negative; got {value}")
    unknown = sorted(map(str, claims.keeps - set(MESSAGE_FIELDS)))
    if unknown:
        problems.append(
            f"claim keeps names no field of a message: {', '.join(unknown)} "
            f"(fields: {', '.join(MESSAGE_FIELDS)})"
        )
    for name, known in (("activity", ACTIVITY), ("finds", FINDS), ("transitions", TRANSITIONS)):
        unknown = sorted(map(str, getattr(claims, name) - known))
        if unknown:
            problems.append(f"claim {name} names {', '.join(unknown)}; known: {_some(known)}")
    return problems


def _some(names: Set[str]) -> str:
    return ", ".join(sorted(names)[:20])


def _cost_problems(costs: object) -> list[str]:
    """What is wrong with the claim ``costs``."""
    if not isinstance(costs, Mapping):
        return [f"claim costs must map operations to ratios; got {costs!r}"]
    problems = []
    for name, most in costs.items():
        if name not in COSTS:
            problems.append(f"claim costs names {name!r}; operations are {', '.join(COSTS)}")
        elif type(most) not in (int, float) or not 1 <= most < math.inf:
            problems.append(f"claim costs.{name} must be a number of at least 1; got {most!r}")
    return problems


def _allowed(hint: Any) -> list[Any] | None:
    """The literals and plain types that a hint admits; None for hints that are not checked."""
    if get_origin(hint) in (Union, types.UnionType):
        parts = [_allowed(part) for part in get_args(hint)]
        return None if None in parts else [one for part in parts if part for one in part]
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return [hint] if hint in (bool, int, type(None)) else None


def _fits(value: object, allowed: Any) -> bool:
    return type(value) is allowed if isinstance(allowed, type) else value == allowed


def _word(allowed: Any) -> str:
    names = {bool: "true, false", int: "a whole number", type(None): "none"}
    return names.get(allowed, str(allowed)) if isinstance(allowed, type) else str(allowed)


def _parse(owner: type, name: str, text: str, *, shown: str) -> Any:
    hints = get_type_hints(owner)
    if name not in hints or name in ("limits", "costs", "sources"):
        known = sorted(
            {*get_type_hints(Claims)} - {"limits", "costs", "sources"}
            | {f"limits.{item.name}" for item in fields(Limits)}
            | {f"costs.{name}" for name in COSTS}
        )
        raise ValueError(f"there is no claim {shown!r}; claims are {', '.join(known)}")
    allowed = _allowed(hints[name])
    if allowed is None:
        return frozenset(part.strip() for part in text.split(",") if part.strip())
    word = text.strip().lower()
    words_of: dict[str, list[Any]] = {"true": [True], "false": [False], "none": [None]}
    readings = [text.strip(), *words_of.get(word, [])]
    readings += [int(word)] if word.removeprefix("-").isdecimal() else []
    for reading in readings:
        if any(_fits(reading, one) for one in allowed):
            return reading
    words = ", ".join(_word(one) for one in allowed)
    raise ValueError(f"claim {shown} must be one of {words}; got {text!r}")
