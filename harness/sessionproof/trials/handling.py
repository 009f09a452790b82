"""Who may use a handle: threads that share it, threads and processes with their own, forks."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.location import location_to_json
from sessionproof.contract.message import Message, to_json
from sessionproof.contract.operations import Read
from sessionproof.contract.verdicts import Finding
from sessionproof.history.tokens import text_of
from sessionproof.host.process import Process, ProcessEnded, ProtocolError
from sessionproof.trials import misuse
from sessionproof.trials.crowds import kinds_of
from sessionproof.trials.forks import script_of_fork, script_of_thread
from sessionproof.trials.single import Broken, Trial
from sessionproof.trials.together import one_round
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.sessions import begin
from sessionproof.workload.vocabulary import timed

_EACH = 5  # messages on each side of a fork
_FIRST_US = 1_767_225_600_000_000  # 2026-01-01
_THREADS = ("threads", "shared")
_WAYS = {
    "threads": "threads with a handle each",
    "shared": "threads that share a handle",
    "tasks": "tasks of one event loop",
    "processes": "spawned processes with a handle each",
}


@dataclass(frozen=True)
class Fork:
    """What came of a fork: each append as text, outcome, error; ``texts`` is what is read."""

    inherits: bool
    parent: tuple[tuple[str, str, str], ...]
    child: tuple[tuple[str, str, str], ...]
    status: int
    texts: tuple[str, ...]
    stderr: str

    @property
    def way(self) -> str:
        """Whose handle the child uses, in words."""
        return f"a forked process with {'its parent’s handle' if self.inherits else 'its own'}"


def works_as_claimed(trial: Trial) -> None:
    """Each way of use that the claims allow, once: nothing is lost, doubled, mixed up or stuck."""
    claims = trial.claims
    hosted = is_hosted(trial.store)
    tried = []
    for kind in kinds_of(trial):
        trial.store.fresh_location()  # each round begins with the same session ids
        script = script_of_thread(trial, shared=kind == "shared") if kind in _THREADS else ()
        one_round(trial, kind, script=script)
        trial.count("ways")
        tried.append(_WAYS[kind])
    forks = claims.at_least("handles", "processes") and not hosted and hasattr(os, "fork")
    if forks and _each(trial) > 0:
        whose = (False, True)[: 1 + claims.shared_handle]
        tried += [fork_works(trial, inherits=inherits) for inherits in whose]
    tried += misuse.tried(trial)
    trial.notes.append(f"tried: {', '.join(tried)}")


def fork_works(trial: Trial, *, inherits: bool) -> str:
    """A process and its forked child append at once; answers whose handle the child used.

    Raises Broken unless both sides were served, or the child clearly refused what it inherits.
    """
    fork = _forked(trial, inherits=inherits)
    _judge(trial, fork)
    trial.count("ways")
    return fork.way


def _forked(trial: Trial, *, inherits: bool) -> Fork:
    """Have a process of its own open the store, fork, and append on both sides."""
    store, sample = trial.store, _sample(trial)
    store.close()
    session = begin(trial.handle(), f"fork-{inherits}", trial.claims, trial.capabilities).value
    store.close()
    each = _each(trial)
    texts = [text_of(1_000 + number) for number in range(3 * each + 1)]
    child_s = store.deadlines.operation_s
    request = {
        "store": store.spec.name,
        **location_to_json(store.location),
        "session": session,
        "sample": to_json(sample),
        "first_us": _FIRST_US,
        "inherits": inherits,
        "child_s": child_s,
        "first": texts[:1],
        "parent": texts[1 : 1 + each],
        "child": texts[1 + each : 1 + 2 * each],
        "after": texts[1 + 2 * each :],
    }
    answer, stderr = _asked(request, store.deadlines.open_s + 3 * child_s)
    read = trial.handle().invoke(Read("s"), session)
    trial.require_ok(read, "read what a process and its forked child had appended")
    return Fork(
        inherits,
        tuple(map(tuple, answer["parent"])),
        tuple(map(tuple, answer["child"])),
        answer["status"],
        tuple(_text(message) for message in read.value),
        stderr,
    )


def _asked(request: dict[str, Any], deadline_s: float) -> tuple[dict[str, Any], str]:
    """The answer of the process that forks; raises Broken for a hang or a crash of the store."""
    paths = [f"--path={entry}" for entry in sys.path]
    process = Process([sys.executable, "-m", "sessionproof.workload.forked_main", *paths])
    line = json.dumps(request).encode() + b"\n"
    try:
        answer = json.loads(process.exchange(line, "the fork", deadline_s=deadline_s))
    except ProtocolError as error:
        raise _stopped(request, Anomaly.HANG, str(error), process) from None
    except ProcessEnded as error:
        raise _stopped(request, Anomaly.CRASH, str(error), process) from None
    finally:
        process.finish(1.0)
    if "refused" in answer:
        raise _stopped(request, Anomaly.UNEXPECTED_REFUSAL, answer["refused"], process)
    return answer, process.stderr_tail()


def _stopped(request: dict[str, Any], anomaly: Anomaly, said: str, process: Process) -> Broken:
    whose = "the handle of its parent" if request["inherits"] else "a handle of its own"
    return Broken(
        Finding(
            anomaly=anomaly,
            did=f"forked a process that has the store open; the child uses {whose}",
            expected="parent and child go on, or the child is refused with a clear error",
            seen=said.partition(" [")[0],
            evidence={"stderr": process.stderr_tail()},
        )
    )


def _judge(trial: Trial, fork: Fork) -> None:
    """Raise Broken unless both sides of the fork were served or clearly refused."""
    did = f"appended in a process and, at the same time, in {fork.way}"
    evidence = {"stderr": fork.stderr} if fork.stderr else {}
    outcomes = [*fork.parent, *fork.child]

    def require(holds: bool, anomaly: Anomaly, expected: str, seen: str) -> None:
        trial.require(
            holds,
            anomaly,
            did=did,
            expected=expected,
            seen=seen,
            script=script_of_fork(trial, inherits=fork.inherits, each=_each(trial)),
            evidence=evidence,
        )

    stuck = fork.status != 0
    hung = "Timeout" in fork.stderr
    require(
        not stuck,
        Anomaly.HANG if hung else Anomaly.CRASH,
        "the child's calls end, or are refused with a clear error",
        "a call of the child did not end" if hung else f"the child ended with code {fork.status}",
    )
    failed = [f"{text!r} ({error})" for text, sort, error in fork.parent if sort != "ok"]
    require(
        not failed,
        Anomaly.UNEXPECTED_REFUSAL,
        "the parent goes on as if nothing had happened",
        f"its appends failed: {', '.join(failed[:3])}",
    )
    failed = [f"{text!r} ({error})" for text, sort, error in fork.child if sort != "ok"]
    require(
        fork.inherits or len(failed) < len(fork.child),
        Anomaly.UNEXPECTED_REFUSAL,
        "a handle that the child opened itself works",
        f"its appends failed: {', '.join(failed[:3])}",
    )
    kept = Counter(fork.texts)
    lost = [text for text, sort, _ in outcomes if sort == "ok" and not kept[text]]
    twice = [text for text, number in kept.items() if number > 1]
    refused = [text for text, sort, _ in outcomes if sort == "fail" and kept[text]]
    strange = [text for text in kept if text not in {text for text, _, _ in outcomes}]
    for texts, anomaly, expected in (
        (lost, Anomaly.LOST_MESSAGE, "every acknowledged message is there"),
        (twice, Anomaly.DUPLICATE, "every message is there once"),
        (refused, Anomaly.ABORTED_READ, "no refused message is there"),
        (strange, Anomaly.PHANTOM, "only what was appended is there"),
    ):
        require(not texts, anomaly, expected, f"not so: {', '.join(map(repr, texts[:3]))}")
    for side, name in ((fork.parent, "parent"), (fork.child, "child")):
        sent = [text for text, _, _ in side if kept[text]]
        there = [text for text in fork.texts if text in set(sent)]
        require(
            sent == there,
            Anomaly.WRITE_ORDER,
            f"the messages of the {name} are in the order in which it sent them",
            f"they are there as {there!r}",
        )


def _each(trial: Trial) -> int:
    """Messages on each side, no more than the store keeps."""
    kept = trial.claims.limits.retention
    return _EACH if kept is None else min(_EACH, (kept - 1) // 3)


def _sample(trial: Trial) -> Message:
    return timed(trial.words.samples[0], trial.claims)


def _text(message: Message) -> str:
    arguments = message.arguments if isinstance(message.arguments, dict) else {}
    return str(message.content if message.content is not None else arguments.get("text"))
