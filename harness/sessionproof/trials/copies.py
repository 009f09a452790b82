"""Whether what is passed and returned is a copy, or the store's own memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sessionproof.checks.messages import compare
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Create, Read, as_call
from sessionproof.scripts.assertions import values_of
from sessionproof.scripts.expressions import messages
from sessionproof.scripts.program import lines_of, suppressed
from sessionproof.trials.single import Trial
from sessionproof.workload.execute import Transcript

Call = Callable[..., Any]
Change = Callable[[Any], None]  # changes messages, or leaves them, to see what that does
_AGAIN = 2  # times that a change does it, and none does not, before it is told


@dataclass(frozen=True)
class Look:
    """What an operation left in a session, beside what it should have, and how that is told."""

    did: str
    right: bool
    expected: str
    seen: str
    script: Sequence[str]
    program: Sequence[str] = ()


Way = Callable[[Trial, Change], Look | None]


def require_unshared(trial: Trial, way: Way) -> None:
    """Require that to change what was passed or answered makes no difference to the store.

    What goes wrong without a change as well is no sharing: other guarantees tell of it, and this
    one cannot. None, where the store has no such way, is not examined.
    """
    look = way(trial, change)
    for _ in range(_AGAIN):
        if look is None or look.right:
            break
        without = way(trial, _leave)
        if without is None or not without.right:
            trial.notes.append(f"not told, as it goes wrong without a change, too: {look.did}")
            return
        look = way(trial, change)
    if look is None:
        return
    trial.require(
        look.right,
        Anomaly.ALIASING,
        did=look.did,
        expected=look.expected,
        seen=look.seen,
        program=look.program,
        script=look.script,
    )
    trial.count("reads")


def nothing_shared(trial: Trial) -> None:
    """Change the list and the messages that were passed, then those returned; read again."""
    require_unshared(trial, _passed)
    require_unshared(trial, _returned)
    if "read_last" in trial.capabilities:
        require_unshared(trial, _returned_last)


def _passed(trial: Trial, changes: Change) -> Look:
    passed = with_insides(trial)

    def action(call: Call, session: str) -> None:
        call("append", session, passed)
        changes(passed)

    did = "changed the list and the messages after passing them to append"
    return _looked(trial, did, action, with_insides(trial), "passed")


def _returned(trial: Trial, changes: Change) -> Look:
    return _looked(
        trial, "changed the list that read returned",
        lambda call, session: changes(call("read", session)), (), "store.read({})",
    )  # fmt: skip


def _returned_last(trial: Trial, changes: Change) -> Look:
    return _looked(
        trial, "changed the list that read_last returned",
        lambda call, session: changes(call("read_last", session, 2)), (), "store.read_last({}, 2)",
    )  # fmt: skip


def _looked(
    trial: Trial,
    did: str,
    action: Callable[[Call, str], object],
    added: Sequence[Message],
    changed: str,
) -> Look:
    """Act on a session of three messages, and see whether it has those and the added ones."""
    start = trial.run(trial.program(Append("s0", tuple(with_insides(trial)))), examined=0)
    session = start[-1].session_id or ""
    trial.require_ok(trial.handle().perform(did, lambda call: action(call, session)), did)
    want = [*start[-1].outcome.value, *added]
    look = read_again(trial, session, want, did, _script(trial, start, changed))
    program = [as_call(Append("s0", tuple(_kept(trial, want)))), f"# {did}", as_call(Read("s0"))]
    return replace(look, program=program)


def read_again(
    trial: Trial, session: str, want: Sequence[Message], did: str, script: Sequence[str]
) -> Look:
    """What is read, beside what should be."""
    again = trial.handle().invoke(Read("s0"), session)
    trial.require_ok(again, f"{did}, then read")
    difference = compare(_kept(trial, want), again.value, trial.claims.keeps)
    return Look(
        did=f"{did}, then read again",
        right=difference is None,
        expected=f"the same as before, {difference.expected}" if difference else "",
        seen=difference.seen if difference else "",
        script=script,
    )


def _kept(trial: Trial, messages: Sequence[Message]) -> Sequence[Message]:
    return messages[-(trial.claims.limits.retention or len(messages)) :]


def changing_metadata(changed: str) -> list[str]:
    """Lines that change the metadata of the messages in this variable, and what lies within."""
    return [
        f"for one in {changed}:",
        "    if type(one.metadata) is dict:",
        "        [part.clear() for part in one.metadata.values() if type(part) is list]",
        "        one.metadata['changed'] = True",
    ]


def _script(trial: Trial, start: Transcript, changed: str) -> list[str]:
    """The lines that change what the expression ``changed`` answers, or the list ``passed``."""
    begun = [done for done in start if isinstance(done.operation, Create)]
    lines, names = lines_of(begun, trial.claims)
    session, most = names.get("s0", "'s0'"), trial.claims.limits.retention
    sent = with_insides(trial)
    kept = [name for name in ("content", "call_id", "metadata") if name in trial.claims.keeps]
    fields = tuple(name for name in kept if any(getattr(one, name) is not None for one in sent))
    return [
        *lines,
        f"passed = {messages(sent)}",
        f"want = copy.deepcopy({values_of('passed', fields)})",
        f"store.append({session}, passed)",
        f"changed = {changed.format(session)}",
        *(changing_metadata("changed") if "metadata" in fields else []),
        *suppressed(["changed.reverse()", "changed.pop()"], "a tuple stays as it is"),
        f"seen = {values_of(f'store.read({session})', fields)}",
        f"assert seen == want{f'[-{most}:]' if most else ''}, seen",
    ]


def change(given: Any) -> None:
    """Change whatever can be changed in messages, or in a value; tuples and frozen parts stay."""
    if isinstance(given, Message):
        change(given.metadata)
        change(given.content)
    elif isinstance(given, dict):
        change(given.values())
        with contextlib.suppress(Exception):
            given["changed"] = True
    elif isinstance(given, Iterable) and not isinstance(given, str | bytes):
        for one in given:
            change(one)
        with contextlib.suppress(Exception):
            given.reverse()  # type: ignore[attr-defined]
        with contextlib.suppress(Exception):
            given.pop()  # type: ignore[attr-defined]


def _leave(given: Any) -> None:
    """Change nothing."""


def with_insides(trial: Trial) -> list[Message]:
    """Three messages, with metadata where the store keeps it: parts that could be shared."""
    sample = next((one for one in trial.words.samples if one.kind == "text"), None)
    base = sample or trial.words.samples[0]
    made = [replace(base, content=f"copy {number}") for number in range(3)]
    if "metadata" in trial.claims.keeps:
        inside: list[Message] = [replace(one, metadata={"inside": [1, 2]}) for one in made]
        made = [one if trial.words.representable(one) else made[0] for one in inside]
    return made
