"""Whether what is passed and returned is a copy, or the store's own memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Create, Read, as_call
from sessionproof.oracle.model import same_messages
from sessionproof.scripts.assertions import values_of
from sessionproof.scripts.expressions import messages
from sessionproof.scripts.program import lines_of, suppressed
from sessionproof.trials.single import Trial
from sessionproof.workload.execute import Transcript

Call = Callable[..., Any]


def nothing_shared(trial: Trial) -> None:
    """Change the list and the messages that were passed, then those returned; read again."""
    messages = with_insides(trial)
    start = trial.run(trial.program(Append("s0", tuple(messages))), examined=0)
    session = start[-1].session_id or ""
    want = start[-1].outcome.value
    passed = with_insides(trial)
    _unchanged(
        trial,
        start,
        [*want, *with_insides(trial)],
        "changed the list and the messages after passing them to append",
        lambda call: _pass_and_change(call, session, passed),
        "passed",
    )
    want = [*want, *with_insides(trial)]
    _unchanged(
        trial, start, want, "changed the list that read returned",
        lambda call: change(call("read", session)), "store.read({})",
    )  # fmt: skip
    if "read_last" in trial.capabilities:
        _unchanged(
            trial, start, want, "changed the list that read_last returned",
            lambda call: change(call("read_last", session, 2)), "store.read_last({}, 2)",
        )  # fmt: skip


def _unchanged(
    trial: Trial,
    start: Transcript,
    want: list[Message],
    did: str,
    action: Callable[[Call], object],
    changed: str,
) -> None:
    """Require that the session that ``start`` filled is the same after the action."""
    want = want[-(trial.claims.limits.retention or len(want)) :]
    outcome = trial.handle().perform(did, action)
    trial.require_ok(outcome, did)
    again = trial.handle().invoke(Read("s0"), start[-1].session_id or "")
    trial.require_ok(again, f"{did}, then read")
    trial.require(
        same_messages(want, again.value, trial.claims.keeps),
        Anomaly.ALIASING,
        did=f"{did}, then read again",
        expected=f"the same {len(want)} messages as before",
        seen=f"{len(again.value)} messages: "
        + ", ".join(repr(message.content)[:40] for message in again.value),
        program=[as_call(Append("s0", tuple(want))), f"# {did}", as_call(Read("s0"))],
        script=_script(trial, start, changed),
    )
    trial.count("reads")


def _script(trial: Trial, start: Transcript, changed: str) -> list[str]:
    """The lines that change what the expression ``changed`` answers, or the list ``passed``."""
    begun = [done for done in start if isinstance(done.operation, Create)]
    lines, names = lines_of(begun, trial.claims)
    session, most = names.get("s0", "'s0'"), trial.claims.limits.retention
    sent = with_insides(trial)
    kept = [name for name in ("content", "call_id", "metadata") if name in trial.claims.keeps]
    fields = tuple(name for name in kept if any(getattr(one, name) is not None for one in sent))
    parts = [
        "for m in changed:",
        "    if type(m.metadata) is dict:",
        "        m.metadata['changed'] = True",
    ]
    return [
        *lines,
        f"passed = {messages(sent)}",
        f"want = copy.deepcopy({values_of('passed', fields)})",
        f"store.append({session}, passed)",
        f"changed = {changed.format(session)}",
        *(parts if "metadata" in fields else []),
        *suppressed(["changed.reverse()", "changed.pop()"], "a tuple stays as it is"),
        f"seen = {values_of(f'store.read({session})', fields)}",
        f"assert seen == want{f'[-{most}:]' if most else ''}, seen",
    ]


def _pass_and_change(call: Call, session: str, passed: list[Message]) -> None:
    call("append", session, passed)
    change(passed)


def change(messages: Any) -> None:
    """Change whatever can be changed in a sequence of messages; tuples and frozen parts stay."""
    for message in messages:
        for part in (getattr(message, "metadata", None), getattr(message, "content", None)):
            if type(part) is dict:
                part["changed"] = True
            elif type(part) is list:
                part.append("changed")
    with contextlib.suppress(AttributeError, TypeError):
        messages.reverse()
    with contextlib.suppress(AttributeError, TypeError):
        messages.pop()


def with_insides(trial: Trial) -> list[Message]:
    """Three messages, with metadata where the store keeps it: parts that could be shared."""
    sample = next((one for one in trial.words.samples if one.kind == "text"), None)
    base = sample or trial.words.samples[0]
    made = [replace(base, content=f"copy {number}") for number in range(3)]
    if "metadata" in trial.claims.keeps:
        inside: list[Message] = [replace(one, metadata={"inside": [1, 2]}) for one in made]
        made = [one if trial.words.representable(one) else made[0] for one in inside]
    return made
