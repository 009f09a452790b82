"""Lines of scripts that trials write by hand: sessions made, messages as expressions."""

from __future__ import annotations

from sessionproof.checks.counters import FACTS, kept_facts
from sessionproof.contract.operations import message_call
from sessionproof.trials.inputs import good_message
from sessionproof.trials.single import Trial


def made(trial: Trial, *names: str) -> list[str]:
    """Variables of these names with session ids that are ready for appends."""
    if "create" in trial.capabilities and trial.claims.session_ids == "store":
        return [f"{name} = store.create()" for name in names]
    if "create" in trial.capabilities and trial.claims.missing_session == "refuses":
        return [f"{name} = store.create({name!r})" for name in names]
    return [f"{name} = {name!r}" for name in names]


def said(trial: Trial, text: str) -> str:
    """A plain message of this text, as the expression that makes it."""
    return message_call(good_message(trial, text))


def tolerated(line: str) -> list[str]:
    """The line, where an error is right, too."""
    return ["try:", f"    {line}", "except Exception:", "    pass"]


def facts_hold(trial: Trial, *facts: str) -> list[str]:
    """That these facts of session ``s0`` are those of its messages; all of them unless named."""
    lines = ["messages = store.read(s0)"]
    if "count" in trial.capabilities and (not facts or "message_count" in facts):
        lines.append("assert store.count(s0) == len(messages), store.count(s0)")
    if "get" not in trial.capabilities:
        return lines
    lines.append("info = store.get(s0)")
    for fact in kept_facts(facts or tuple(FACTS), trial.claims):
        source = FACTS[fact]
        real = f"sum(one.{source} or 0 for one in messages)" if source else "len(messages)"
        lines += [f"real = {real}", f"assert info.{fact} in (None, real), (info.{fact}, real)"]
    return lines
