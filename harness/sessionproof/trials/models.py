"""The models that sessions name: removing one that is in use is refused or cascades, as claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from hypothesis import strategies as st

from sessionproof.audit.tables import orphan_problems
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import HANG, Append, Delete, Get, Outcome, Read, session_of
from sessionproof.contract.verdicts import Finding
from sessionproof.trials.audits import look
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Broken, NotClaimed, Trial
from sessionproof.workload.search import Searched, search

What: TypeAlias = Literal["add", "name", "unname", "remove", "delete", "reopen"]
Step: TypeAlias = tuple[What, int, int]
"""What is done, and the numbers of a session and a model; 0 where it is about none."""

_SESSIONS = ("s0", "s1")
_MODELS = 2
_NEEDED = ("add_llm_model", "set_llm_model", "delete_llm_model", "get")


@dataclass
class _World:
    """What must be there: models that are known, and which session names which."""

    trial: Trial
    ids: dict[str, str]
    prefix: str
    known: set[int] = field(default_factory=set)
    named: dict[str, int] = field(default_factory=dict)  # living sessions; -1 is none
    lines: list[str] = field(default_factory=list)

    def model(self, number: int) -> str:
        """A name that no other program uses."""
        return f"{self.prefix}model-{number}"


def removed_in_use(trial: Trial) -> None:
    """Models made known, named by sessions and removed, in any order.

    Raises NotClaimed for a store that has no models, or does not say what removing one does.
    """
    missing = [name for name in _NEEDED if name not in trial.capabilities]
    if missing:
        raise NotClaimed(f"the store has no {', no '.join(missing)}")
    if trial.claims.on_delete_in_use is None:
        raise NotClaimed("the store does not claim on_delete_in_use")
    certain: list[list[Step]] = [
        [("add", 0, 0), ("name", 0, 0), ("name", 1, 0), ("remove", 0, 0), ("reopen", 0, 0)],
        [("add", 0, 0), ("name", 0, 0), ("reopen", 0, 0), ("remove", 0, 0), ("reopen", 0, 0)],
        [("add", 0, 0), ("add", 0, 1), ("name", 0, 0), ("name", 1, 1), ("remove", 0, 0),
         ("unname", 0, 0), ("remove", 0, 0), ("delete", 1, 0), ("remove", 0, 1)],
    ]  # fmt: skip
    for steps in certain:
        finding = _carried_out(trial, steps)
        if finding is not None:
            raise Broken(finding)
    begun: list[Step] = [("add", 0, number) for number in range(_MODELS)]
    whats: tuple[What, ...] = (
        "name",
        "name",
        "remove",
        "remove",
        "add",
        "unname",
        "delete",
        "reopen",
    )
    one = st.tuples(
        st.sampled_from(whats),
        st.integers(0, len(_SESSIONS) - 1),
        st.integers(0, _MODELS - 1),
    )
    searched: Searched[list[Step], Finding] = search(
        st.lists(one, min_size=3, max_size=10),
        lambda steps: _carried_out(trial, [*begun, *steps]),
        seed=trial.seed,
        enough=trial.enough,
        shrink_s=trial.profile.shrink_s,
    )
    if searched.counterexample is not None:
        raise Broken(searched.counterexample.fault)


def _carried_out(trial: Trial, steps: Sequence[Step]) -> Finding | None:
    try:
        _carry_out(trial, steps)
    except Broken as broken:
        return broken.finding
    return None


def _carry_out(trial: Trial, steps: Sequence[Step]) -> None:
    filled = [Append(name, trial.several(2)) for name in _SESSIONS]
    start = trial.run(trial.program(*filled, sessions=_SESSIONS), lambda _: None, examined=0)
    ids = {session_of(done.operation): done.session_id or "" for done in start}
    world = _World(trial, ids, f"{ids[_SESSIONS[0]]}-")
    world.named = dict.fromkeys(_SESSIONS, -1)
    world.lines = [
        *made(trial, *_SESSIONS),
        *(f"store.append({name}, [{said(trial, 'one')}])" for name in _SESSIONS),
    ]
    for step in steps:
        did = _step(world, step)
        if did:
            _agrees(world, did)


def _step(world: _World, step: Step) -> str | None:
    """Carry out one step; answers it in words, or None where there is nothing to do."""
    what, at, number = step
    session, model = _SESSIONS[at], world.model(number)
    trial = world.trial
    if what == "reopen":
        if not trial.claims.at_least("durability", "process"):
            return None
        trial.require_ok(trial.store.reopen(), "closed the store")
        world.lines += ["store.close()", "store = open_store(location)"]
        return "closed the store and opened it again"
    if what == "add":
        _owed(world, f"store.add_llm_model('m{number}')", "add_llm_model", model)
        world.known.add(number)
        return "made a model known"
    if what == "remove":
        return _remove(world, number)
    if session not in world.named:
        return None
    if what == "delete":
        if "delete" not in trial.capabilities:
            return None
        trial.require_ok(trial.handle().invoke(Delete(session), world.ids[session]), "deleted")
        world.lines.append(f"store.delete({session})")
        del world.named[session]
        return "deleted a session that named a model"
    if what == "name" and number not in world.known:
        return None  # whether an unknown model may be named is left to the store
    name, line = (model, f"'m{number}'") if what == "name" else (None, "None")
    called = f"store.set_llm_model({session}, {line})"
    _owed(world, called, "set_llm_model", world.ids[session], name)
    world.named[session] = number if what == "name" else -1
    return "let a session name " + ("a model" if what == "name" else "none")


def _owed(world: _World, line: str, method: str, *arguments: str | None) -> None:
    """A call that must succeed."""
    outcome = world.trial.handle().perform(line, lambda call: call(method, *arguments) and None)
    _require_ok(world, outcome, line, "it succeeds")
    world.lines.append(line)


def _require_ok(world: _World, outcome: Outcome, line: str, expected: str) -> None:
    failure = outcome.failure
    if failure is None:
        return
    special = failure.type in tuple(Anomaly)
    world.trial.require(
        False,
        Anomaly(failure.type) if special else Anomaly.UNEXPECTED_REFUSAL,
        did=f"called {line}",
        expected=expected,
        seen=f"it raised {failure}",
        evidence=outcome.evidence,
        program=[*world.lines, line],
        script=[] if failure.type == HANG else [*world.lines, line],
    )


def _remove(world: _World, number: int) -> str | None:
    """Remove a model that is known; while it is in use, as the claim says."""
    if number not in world.known:
        return None
    trial, line = world.trial, f"store.delete_llm_model('m{number}')"
    users = [session for session, named in world.named.items() if named == number]
    outcome = trial.handle().perform(
        line, lambda call: call("delete_llm_model", world.model(number)) and None
    )
    refuses = trial.claims.on_delete_in_use == "refuses"
    if not (users and refuses):
        _require_ok(
            world, outcome, line, "it succeeds, and sessions name none" if users else "it succeeds"
        )
        world.lines.append(line)
        world.known.discard(number)
        world.named |= dict.fromkeys(users, -1)
    else:
        refused = [
            "try:",
            f"    {line}",
            "except Exception:",
            "    pass",
            "else:",
            "    raise AssertionError('a model that is in use was removed')",
        ]
        trial.require(
            outcome.type != "ok",
            Anomaly.ACCEPTED_INVALID,
            did=f"removed a model that {len(users)} sessions name",
            expected="a refusal: the store claims that a model in use is not removed",
            seen="it returned normally",
            program=[*world.lines, line],
            script=[*world.lines, *refused],
        )
        world.lines += refused
    trial.count("deletions", bool(users))
    return "removed a model"


def _agrees(world: _World, did: str) -> None:
    """Each living session names what it should, and has its messages; nothing dangles."""
    trial = world.trial
    for session, number in world.named.items():
        want = None if number < 0 else world.model(number)
        shown = None if number < 0 else f"m{number}"
        got = trial.handle().invoke(Get(session), world.ids[session])
        _require_ok(world, got, f"store.get({session})", "the facts of a session that is there")
        seen = None if got.value is None else got.value.llm_model
        trial.require(
            got.value is not None and seen == want,
            Anomaly.LOST_SESSION if got.value is None else Anomaly.WRONG_ANSWER,
            did=f"{did}, then asked for the facts of {session}",
            expected=f"the session, naming {shown}",
            seen="no such session" if got.value is None else f"it names {seen}",
            program=[*world.lines, f"store.get({session})"],
            script=[
                *world.lines,
                f"named = store.get({session}).llm_model",
                f"assert named == {shown!r}, named",
            ],
        )
        read = trial.handle().invoke(Read(session), world.ids[session])
        _require_ok(world, read, f"store.read({session})", "the messages of the session")
        _keeps_its_messages(world, session, did, len(read.value))
    if "tables" in trial.capabilities:
        _nothing_dangles(world, did)


def _keeps_its_messages(world: _World, session: str, did: str, number: int) -> None:
    limit = world.trial.claims.limits.retention
    want = len(world.trial.several(2)) if limit is None else min(limit, 2)
    world.trial.require(
        number == want,
        Anomaly.LOST_MESSAGE,
        did=f"{did}, then read {session}",
        expected=f"its {want} messages",
        seen=f"{number} messages",
        program=[*world.lines, f"store.read({session})"],
        script=[*world.lines, f"assert len(store.read({session})) == 1, 'messages are gone'"],
    )


def _nothing_dangles(world: _World, did: str) -> None:
    problems = look(world.trial, orphan_problems).answer or []
    world.trial.require(
        not problems,
        Anomaly.ORPHAN,
        did=f"{did}, then read the store's tables",
        expected="every row refers to rows that are there",
        seen="; ".join(problems[:5]),
        program=[*world.lines, "# then SQL over the tables of the store"],
        script=[
            *world.lines,
            "import sqlite3",
            "db = sqlite3.connect(store.tables().path)",
            "dangling = db.execute('PRAGMA foreign_key_check').fetchall()",
            "db.close()",
            "assert not dangling, dangling",
        ],
    )
