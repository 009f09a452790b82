"""Whether the operations beside append and read share memory with their caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from sessionproof.contract.message import Message, canonical
from sessionproof.contract.operations import Append, Create, GetState, as_call
from sessionproof.scripts.expressions import messages
from sessionproof.trials.copies import (
    Change,
    Look,
    Way,
    changing_metadata,
    read_again,
    require_unshared,
    with_insides,
)
from sessionproof.trials.lines import made
from sessionproof.trials.single import NotClaimed, Trial

Call = Callable[..., Any]

_VALUE = {"inside": [1, 2]}


def nothing_shared_elsewhere(trial: Trial) -> None:
    """Change what was passed to, or returned by, each operation that the store has; look again.

    Raises NotClaimed for a store that has none of them.
    """
    ways: dict[str, tuple[Way, ...]] = {
        "page": (_page,),
        "replace": (_replace,),
        "create": (_create,),
        "edit_message": (_edit,),
        "set_state": (_state_passed, _state_answered),
    }
    if not trial.claims.limits.first_messages:
        del ways["create"]
    had = [way for name in ways if name in trial.capabilities for way in ways[name]]
    if not had:
        raise NotClaimed(f"the store has no {', no '.join(ways)}")
    for way in had:
        require_unshared(trial, way)


def _page(trial: Trial, changes: Change) -> Look:
    session, want = _filled(trial)

    def action(call: Call) -> None:
        changes(call("page", session, limit=10).messages)

    lines = ["changed = store.page(s0, limit=10).messages"]
    return _same_messages(trial, session, want, "changed the messages of a page", action, lines)


def _replace(trial: Trial, changes: Change) -> Look:
    session, _ = _filled(trial)
    passed = with_insides(trial)

    def action(call: Call) -> None:
        call("replace", session, passed)
        changes(passed)

    lines = [f"changed = {messages(with_insides(trial))}", "store.replace(s0, changed)"]
    did = "changed the messages that were passed to replace"
    return _same_messages(trial, session, with_insides(trial), did, action, lines)


def _create(trial: Trial, changes: Change) -> Look | None:
    named = trial.claims.session_ids == "caller"
    asked = trial.store.next_program() + "s0" if named else None
    passed = with_insides(trial)

    def action(call: Call) -> str:
        name = str(call("create", asked, messages=passed))
        changes(passed)
        return name

    outcome = trial.handle().perform(as_call(Create("s0", tuple(passed))), action)
    if outcome.type == "fail":  # it takes no messages at a creation
        return None
    did = "changed what was passed to a creation"
    trial.require_ok(outcome, did)
    given = "'s0', " if named else ""
    script = [
        f"passed = {messages(with_insides(trial))}",
        f"s0 = store.create({given}messages=passed)",
        *_looks("passed", trial),
    ]
    return read_again(trial, outcome.value, with_insides(trial), did, script)


def _edit(trial: Trial, changes: Change) -> Look | None:
    session, want = _filled(trial)
    if trial.claims.order == "timestamp" or want[0].id is None:
        return None  # an edited message may move there, or cannot be named
    name = want[0].id
    passed = [replace(with_insides(trial)[1], id=None)]
    new = replace(with_insides(trial)[1], id=None)

    def action(call: Call) -> None:
        call("edit_message", session, name, passed[0])
        changes([*passed])

    lines = [
        f"changed = {messages([new])}",
        "store.edit_message(s0, store.read(s0)[0].id, changed[0])",
    ]
    did = "changed the message that was passed to edit_message"
    return _same_messages(trial, session, [new, *want[1:]], did, action, lines)


def _state_passed(trial: Trial, changes: Change) -> Look | None:
    passed = deepcopy(_VALUE)

    def action(call: Call, session: str) -> None:
        call("set_state", session, "shared", passed)
        changes(passed)

    return _same_state(trial, "changed the value that was passed to set_state", action)


def _state_answered(trial: Trial, changes: Change) -> Look | None:
    def action(call: Call, session: str) -> None:
        call("set_state", session, "shared", deepcopy(_VALUE))
        changes(call("get_state", session, "shared"))

    return _same_state(trial, "changed the value that get_state answered", action)


def _same_state(trial: Trial, did: str, action: Callable[[Call, str], object]) -> Look | None:
    """Set a value and act, and see whether it is what was set."""
    if "get_state" not in trial.capabilities:
        return None
    session, _ = _filled(trial)
    trial.require_ok(trial.handle().perform(did, lambda call: action(call, session)), did)
    again = trial.handle().invoke(GetState("s0", "shared"), session)
    trial.require_ok(again, f"{did}, then read it")
    return Look(
        did=f"{did}, then read it again",
        right=canonical(again.value) == canonical(_VALUE),
        expected=str(_VALUE),
        seen=repr(again.value)[:200],
        script=[
            *made(trial, "s0"),
            f"passed = {_VALUE}",
            "store.set_state(s0, 'shared', passed)",
            "passed['inside'].append(3)",
            "value = store.get_state(s0, 'shared')",
            f"assert value == {_VALUE}, value",
            "value['inside'].append(3)",
            f"assert store.get_state(s0, 'shared') == {_VALUE}",
        ],
    )


def _filled(trial: Trial) -> tuple[str, list[Message]]:
    """A session with three messages, and what is read of it."""
    start = trial.run(trial.program(Append("s0", tuple(with_insides(trial)))), examined=0)
    return start[-1].session_id or "", list(start[-1].outcome.value)


def _same_messages(
    trial: Trial,
    session: str,
    want: Sequence[Message],
    did: str,
    action: Callable[[Call], object],
    lines: Sequence[str],
) -> Look:
    trial.require_ok(trial.handle().perform(did, action), did)
    sent = messages(with_insides(trial))
    script = [
        *made(trial, "s0"),
        f"store.append(s0, {sent})",
        *lines,
        *_looks("changed", trial),
    ]
    return read_again(trial, session, want, did, script)


def _looks(changed: str, trial: Trial) -> list[str]:
    """Lines that change a list of messages and their metadata, and look before and after."""
    seen = "repr([(one.content, one.metadata) for one in store.read(s0)])"
    return [
        f"before = {seen}",
        *(changing_metadata(changed) if "metadata" in trial.claims.keeps else []),
        "with suppress(Exception):  # a tuple stays as it is",
        f"    {changed}.reverse()",
        f"after = {seen}",
        "assert before == after, after",
    ]
