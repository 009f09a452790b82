"""Scripts of findings: they fail against the broken store, and pass against the mended one."""

import asyncio
import contextlib
import inspect
import textwrap
from collections.abc import Sequence
from dataclasses import replace

import pytest

import sessionproof
from sessionproof.contract.operations import (
    Append,
    Clear,
    Count,
    Create,
    Delete,
    DeleteMessage,
    Get,
    List,
    PopLast,
    Read,
    ReadLast,
    ReadPages,
)
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import inputs
from sessionproof.trials.single import Broken


def run(script, factory):
    """Run a script's lines against a store; raises what they raise."""
    space = {
        **{name: getattr(sessionproof, name) for name in ("Message", "Page", "Receipt")},
        "SessionInfo": sessionproof.SessionInfo,
        "Sequence": Sequence,
        "suppress": contextlib.suppress,
        "open_store": factory,
        "location": None,
    }
    lines = textwrap.indent("\n".join(script), "    ")
    kind = "async def" if "await " in lines else "def"
    exec(f"import json, sys\n{kind} main():\n{lines}\n", space)
    made = space["main"]()
    if inspect.isawaitable(made):
        asyncio.run(made)


def finding_of(trial, *steps, check=None, **options):
    """The finding of a program that the store must not pass."""
    with pytest.raises(Broken) as caught:
        trial.run(tuple(steps), check, **options)
    return caught.value.finding


def one(trial):
    """A message."""
    return trial.words.samples[0]


# What is broken in a memory store, and a program that shows it.
BROKEN = {
    "read": (
        {"read": lambda self, s: MemoryStore.read(self, s)[:1]},
        lambda m: [Append("s0", (m, m)), Read("s0")],
    ),
    "read_last": (
        {"read_last": lambda self, s, n: MemoryStore.read(self, s)[:n]},
        lambda m: [Append("s0", (m,)), Append("s0", (replace(m, content="b"),)), ReadLast("s0", 1)],
    ),
    "pages": (
        {"page": lambda self, s, *, cursor=None, limit=50: sessionproof.Page([])},
        lambda m: [Append("s0", (m,)), ReadPages("s0", 1)],
    ),
    "endless pages": (
        {"page": lambda self, s, *, cursor=None, limit=50: sessionproof.Page([], next="again")},
        lambda m: [Append("s0", (m,)), ReadPages("s0", 1)],
    ),
    "pop_last": (
        {"pop_last": lambda self, s: None},
        lambda m: [Append("s0", (m,)), PopLast("s0")],
    ),
    "count of an unknown session": (
        {"count": lambda self, s: 1},
        lambda m: [Append("s0", (m,)), Clear("s1"), Count("s1")],
    ),
    "get": (
        {"get": lambda self, s: sessionproof.SessionInfo(session_id=s, message_count=7)},
        lambda m: [Append("s0", (m,)), DeleteMessage("s0", 0), Get("s0")],
    ),
    "list": (
        {"list": lambda self: ["s0", "s1"]},
        lambda m: [Append("s0", (m,)), Create("s1"), Delete("s1"), List()],
    ),
    "a refusal": (
        {"count": lambda self, s: {}[s]},
        lambda m: [Append("s0", (m,)), Count("s0")],
    ),
    "no message": (
        {"read": lambda self, s: ["text"]},
        lambda m: [Append("s0", (m,)), Read("s0")],
    ),
    "a wrong field": (
        {"read": lambda self, s: [sessionproof.Message("user", "x", tokens="3")]},
        lambda m: [Append("s0", (m,)), Read("s0")],
    ),
    "no receipt": (
        {"append": lambda self, s, messages: 1},
        lambda m: [Append("s0", (m,))],
    ),
    "no page": (
        {"page": lambda self, s, *, cursor=None, limit=50: []},
        lambda m: [Append("s0", (m,)), ReadPages("s0", 1)],
    ),
    "no count": (
        {"count": lambda self, s: True},
        lambda m: [Append("s0", (m,)), Count("s0")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_fails_until_it_is_mended(trial_of, name):
    """The script of each sort of break fails on it, and runs through without it."""
    methods, program = BROKEN[name]
    trial = trial_of("CORE-11", **methods)
    plain = ids = None
    if name == "list":  # the broken listing knows logical names alone
        ids = {"s0": "s0", "s1": "s1"}
    finding = finding_of(trial, *program(one(trial)), check=plain, ids=ids)
    assert finding.script, finding.reproducer
    assert len(finding.script) <= 20
    with pytest.raises((AssertionError, LookupError, AttributeError, TypeError)):
        run(finding.script, type("Odd", (MemoryStore,), methods))
    run(finding.script, MemoryStore)


class Refusing(MemoryStore):
    """Refuses what it may: reads of unknown sessions, clearing them, creating a known one."""

    def read(self, session_id):
        """Known sessions alone."""
        if session_id not in self.world:
            raise sessionproof.NotFound(session_id)
        return super().read(session_id)

    clear = delete = count = lambda self, session_id: {}[session_id]


def test_a_mended_store_may_refuse_what_it_may(trial_of):
    """Where the contract allows a refusal, the script does too."""
    phantom = lambda self, s: MemoryStore.read(self, s) or [sessionproof.Message("user", "x")]  # noqa: E731
    trial = trial_of("CORE-09", read=phantom)
    finding = finding_of(trial, Clear("s1"), Read("s1"))
    run(finding.script, Refusing)
    run(finding.script, MemoryStore)
    with pytest.raises(AssertionError):
        run(finding.script, type("Odd", (MemoryStore,), {"read": phantom}))


class Awaited(MemoryStore):
    """Deletes no message; its methods answer awaitables without being async def."""

    def read(self, session_id):
        """Awaited."""
        return self._late(super().read(session_id))

    def delete_message(self, session_id, message_id):
        """Awaited, and forgotten."""
        return self._late(None)

    def append(self, session_id, messages):
        """Awaited."""
        return self._late(super().append(session_id, messages))

    def close(self):
        """Awaited."""
        return self._late(None)

    async def _late(self, value):
        await asyncio.sleep(0)
        return value


async def open_awaited(location):
    """Opened by a function that is async."""
    return Awaited(location)


open_awaited.claims = MemoryStore.claims


def test_what_is_awaited_is_seen_at_work(trial_of):
    """Opening, closing and calls are awaited where the store answered awaitables."""
    trial = trial_of("CORE-01", open_awaited)
    steps = [Append("s0", (one(trial),)), DeleteMessage("s0", 0), Read("s0")]
    finding = finding_of(trial, *steps)
    text = "\n".join(finding.script)
    assert "store = await open_store(location)" in text
    assert "await store.append(" in text
    assert "(await store.read('s0'))" in text
    assert "await store.close()" in text
    with pytest.raises(AssertionError):
        run(finding.script, open_awaited)


def test_a_store_names_its_sessions(trial_of):
    """Ids that the store gives stand in variables."""

    class Names(MemoryStore):
        """Names its sessions, and reads nothing."""

        claims = sessionproof.Claims(
            keeps={"content"}, session_ids="store", missing_session="refuses"
        )

        def create(self, session_id=None, *, messages=()):
            """An id of its own."""
            return super().create(f"own-{self.names}", messages=messages)

        def read(self, session_id):
            """Nothing."""
            return []

    trial = trial_of("CORE-01", Names)
    finding = finding_of(trial, *trial.program(Append("s0", (one(trial),))))
    assert finding.script[1] == "id_of_s0 = store.create()"
    assert "store.append(id_of_s0, " in finding.script[2]
    with pytest.raises(AssertionError):
        run(finding.script, Names)
    run(finding.script, type("Mended", (Names,), {"read": MemoryStore.read}))


def test_too_long_a_script_says_so(trial_of):
    """A finding without a script tells why."""
    trial = trial_of("CORE-01", read=lambda self, s: [])
    text = "".join(map(str, range(9_000)))
    message = sessionproof.Message("user", text)
    finding = finding_of(trial, Append("s0", (message,)), Read("s0"))
    assert finding.script == ()
    assert finding.reproducer.said.startswith("no script: a text of 34,890 characters")


def test_neighbours_are_owed_whatever_is_trimmed(trial_of):
    """A plain append that fails after a refused text is the fault, not the refusal."""

    def append(self, session_id, messages):
        if "\ud800" in str(messages[0].content) or hasattr(self, "stuck"):
            self.stuck = True
            raise sessionproof.Refused("no")
        return MemoryStore.append(self, session_id, messages)

    trial = trial_of("CORE-06", append=append)
    with pytest.raises(Broken) as caught:
        inputs.read_back_or_refused(trial)
    assert caught.value.finding.program[-1].startswith("store.append('s0', [Message('assistant', '")
    assert "after #1" in caught.value.finding.program[-1]
    assert len(caught.value.finding.program) == 2
