"""What a manager makes of messages, and of arguments that are none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.managing import CALLS
from sessionproof.contract.message import Json
from sessionproof.contract.seed import generator
from sessionproof.scripts.expressions import expression
from sessionproof.trials.managing.lives import refused_lines, require_refused
from sessionproof.trials.single import Trial
from sessionproof.workload.guard import Handle
from sessionproof.workload.managing import CREATE, ask

_MESSAGES = (
    "Hello", "hello", "Hello ", "Grüße, 你好 🙂", "e\u0301", "\u00e9", "0", "null", " ", "a\nb",
    "a\r\nb", "\ufeffx", "it's \"quoted\"; --", "%s {} \\0", "x" * 10_000,
)  # fmt: skip
_DRAWN, _LETTERS = 20, "abcäöü 你🙂\t'\"\\{}%"
_STRANGE = (
    "' OR 1=1 --",
    "%",
    "*",
    "../../etc/passwd",
    "no such session",
    "🙂",
    "x" * 5_000,
)
_OWN = f"own-{'k' * 60}"  # as long as ids are; no other is this one
_NEARLY = (_OWN.upper(), _OWN[:-1], f"{_OWN}k", f" {_OWN}", f"{_OWN} ", _OWN.replace("-", "_"))
_NO_ID: tuple[Json, ...] = (None, "", 7, ["s0"], {"id": "s0"})
_NO_TEXT: tuple[Json, ...] = (7, 1.5, True, ["Hello"], {"text": "Hello"})


def named(trial: Trial) -> None:
    """MGR-01: a message's id is its digest in UTF-8, always; raises Broken."""
    trial.store.fresh_location()
    handle, random = trial.handle(), generator(trial.seed, "messages")
    drawn = ("".join(random.choices(_LETTERS, k=random.randint(1, 40))) for _ in range(_DRAWN))
    lengths = set()
    for message in trial.within_time([*_MESSAGES, *drawn]):
        lengths.add(_digest(trial, handle, message))
        trial.require(
            len(lengths) == 1, Anomaly.WRONG_ANSWER, did="generate_session_id of two messages",
            expected="one sort of digest for all", seen=f"digests of {sorted(lengths)} digits",
        )  # fmt: skip
        trial.count(trial.guarantee.unit)
    counted = ask(handle, "get_session_count")
    trial.require_ok(counted, "get_session_count")
    trial.require(
        counted.value == 0, Anomaly.PHANTOM_SESSION, did="generate_session_id of some messages",
        expected="no session: an id is made, and nothing else", seen=f"{counted.value} sessions",
        script=["store = open_store(location)",
                "store.manager('generate_session_id', {'message': 'Hello'})",
                "assert store.manager('get_session_count', {}) == 0", "store.close()"],
    )  # fmt: skip


def _digest(trial: Trial, handle: Handle, message: str) -> int:
    """How many digits the id of a message has."""
    data = message.encode()
    right = [hashlib.md5(data, usedforsecurity=False).hexdigest(), hashlib.sha256(data).hexdigest()]
    lines = [
        "store = open_store(location)",
        f"message = {expression(message)}",
        "data = message.encode()",
        "right = hashlib.md5(data).hexdigest(), hashlib.sha256(data).hexdigest()",
        "for _ in range(2):",
        "    made = store.manager('generate_session_id', {'message': message})",
        "    assert made in right, made",
        "store.close()",
    ]
    for _ in range(2):
        made = ask(handle, "generate_session_id", {"message": message})
        trial.require_ok(made, f"generate_session_id({message[:60]!r})", lines)
        trial.require(
            made.value in right, Anomaly.WRONG_ANSWER,
            did=f"generate_session_id({message[:60]!r})",
            expected=f"{right[0]} (MD5) or {right[1]} (SHA-256)", seen=f"{made.value!r}",
            script=lines,
        )  # fmt: skip
    return len(made.value)


def refused(trial: Trial) -> None:
    """MGR-12: what is no message, no id and no call is refused, and changes nothing."""
    trial.store.fresh_location()
    handle = trial.handle()
    own = {"session_id": _OWN, "first_user_message": "Hello", "chat_id": "c"}
    lines = ["store = open_store(location)", f"store.manager('create_session', {own!r})",
             "before = store.manager('get_all_sessions', {})"]  # fmt: skip
    trial.require_ok(ask(handle, CREATE, own), "create_session", lines)
    before = _all(trial, handle)
    for call, arguments in trial.within_time([*_wrong(_OWN)]):
        asked = f"store.manager({call!r}, {expression(arguments)})"
        require_refused(
            trial, ask(handle, call, arguments), f"{call}({_told(arguments)})",
            "it is refused: that is no argument of this call" if call in CALLS
            else "it is refused: there is no such call",
            [*lines, *refused_lines(asked)],
        )  # fmt: skip
        _unchanged(trial, handle, before, call, arguments, lines)
        trial.count(trial.guarantee.unit)
    for call, arguments, owed in trial.within_time([*_foreign()]):
        done = ask(handle, call, arguments)
        if done.type != "fail":  # an id that no session can have may be refused
            asked = f"store.manager({call!r}, {expression(arguments)})"
            trial.require_ok(done, f"{call}({_told(arguments)})", [*lines, asked])
            trial.require(
                done.value == owed, Anomaly.WRONG_ANSWER, did=f"{call}({_told(arguments)})",
                expected=f"{owed}: nobody has this id", seen=repr(done.value)[:300],
                script=[*lines, f"assert {asked} is {owed}", "store.close()"],
            )  # fmt: skip
        _unchanged(trial, handle, before, call, arguments, lines)
        trial.count(trial.guarantee.unit)


def _wrong(known: str) -> Iterator[tuple[str, dict[str, Json]]]:
    """Calls with arguments that they do not take."""
    for text in (None, *_NO_TEXT):
        yield "generate_session_id", {"message": text}
    for call in CALLS:
        if "session_id" in CALLS[call].parameters and call != CREATE:
            more = _others(call)
            yield call, more
            for wrong in _NO_ID:
                yield call, {"session_id": wrong, **more}
    for wrong in ("", 7, ["s0"]):
        yield CREATE, {"session_id": wrong}
    for name in ("first_user_message", "chat_id"):
        for text in _NO_TEXT:
            yield CREATE, {name: text}
    yield CREATE, {"colour": "red"}
    changes: Json
    for changes in (None, 7, "chat_id", ["chat_id"], {"colour": "red"}, {"session_id": "other"},
                    {"created_at_us": 0}, {"expires_at_us": 0}, {"chat_id": 7},
                    {"parent_id": ["m"]}, {"first_user_message": {}}, {"metadata": "plan"},
                    {"metadata": ["plan"]}, {"chat_id": "d", "colour": "red"}):  # fmt: skip
        yield "update_session", {"session_id": known, "changes": changes}
    for wrong in _NO_TEXT:
        yield "update_parent_id", {"session_id": known, "parent_id": wrong}
        yield "set_chat_id", {"session_id": known, "chat_id": wrong}
    for wrong in (0, -1, "soon", 1.5):
        yield "start_cleanup", {"interval_us": wrong}
    yield "drop_all_sessions", {}
    yield "__init__", {}
    yield "cleanup", {"session_id": known}


def _others(call: str) -> dict[str, Json]:
    given: dict[str, dict[str, Json]] = {
        "update_session": {"changes": {"chat_id": "other"}},
        "update_parent_id": {"parent_id": "other"},
        "set_chat_id": {"chat_id": "other"},
    }
    return given.get(call, {})


def _foreign() -> Iterator[tuple[str, dict[str, Json], Json]]:
    """Calls about sessions of nobody, and what they answer."""
    owed: dict[str, Json] = {"get_session": None, "get_parent_id": None, "is_new_session": True}
    for strange in (*_STRANGE, *_NEARLY):
        for call in CALLS:
            if "session_id" in CALLS[call].parameters and call != CREATE:
                yield call, {"session_id": strange, **_others(call)}, owed.get(call, False)


def _all(trial: Trial, handle: Handle) -> Any:
    listed = ask(handle, "get_all_sessions")
    trial.require_ok(listed, "get_all_sessions")
    return listed.value


def _unchanged(
    trial: Trial, handle: Handle, before: Any, call: str, arguments: dict[str, Json],
    lines: list[str],
) -> None:  # fmt: skip
    after = _all(trial, handle)
    asked = f"store.manager({call!r}, {expression(arguments)})"
    trial.require(
        after == before, Anomaly.CHANGED, did=f"{call}({_told(arguments)}), which nothing comes of",
        expected="the sessions are what they were", seen=f"{after!r} instead of {before!r}"[:600],
        script=[*lines, "with suppress(Exception):", f"    {asked}",
                "after = store.manager('get_all_sessions', {})",
                "assert after == before, (before, after)", "store.close()"],
    )  # fmt: skip


def _told(arguments: dict[str, Json]) -> str:
    return ", ".join(f"{name}={value!r}"[:80] for name, value in arguments.items())
