"""Hypothesis strategies of programs: what a single client may do, in any order.

Every message carries a token of its own (``#3``), given by its place in the program, so that a
message read can be told from any other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Count,
    Create,
    Delete,
    DeleteMessage,
    EditMessage,
    Get,
    GetState,
    List,
    Operation,
    PopLast,
    Program,
    Read,
    ReadLast,
    ReadPages,
    Reopen,
    Replace,
    SetState,
    method_of,
)
from sessionproof.workload.vocabulary import MARK_ID, MARK_US, Vocabulary, made_messages

_START_US = 1_767_225_600_000_000
_STEP_US = 1_000_003  # no whole number of milliseconds or seconds
_KEYS = ("theme", "step", "user:name", "a.b")
_OWN_KEYS = _KEYS[:2]  # a prefix such as "user:" may say that a key belongs to more than a session
Strategy = st.SearchStrategy[Program]

# Operations by the capability that they need, beside append and read.
_BY_CAPABILITY: dict[str, type[Operation]] = {
    method_of(kind): kind
    for kind in (
        Create, Get, List, Delete, Clear, ReadLast, ReadPages, Count, PopLast, DeleteMessage,
        EditMessage, Replace, GetState, SetState, AppendWithState,
    )
}  # fmt: skip


def kinds_for(capabilities: Collection[str], claims: Claims) -> tuple[type[Operation], ...]:
    """The operations that a store with these capabilities and claims can be asked for."""
    optional = [kind for name, kind in _BY_CAPABILITY.items() if name in capabilities]
    if claims.order == "timestamp":
        # A message edited later has a later time, and so may move.
        optional = [kind for kind in optional if kind is not EditMessage]
    if claims.session_ids == "store":
        optional = [kind for kind in optional if kind is not Create]  # only at the beginning
    if claims.at_least("durability", "process"):
        optional.append(Reopen)
    return (Append, Read, *optional)


def changes(capabilities: Collection[str], claims: Claims) -> tuple[type[Operation], ...]:
    """The operations among them that change something in a session."""
    looks = (Read, ReadLast, ReadPages, Count, Get, GetState, List, Reopen)
    return tuple(kind for kind in kinds_for(capabilities, claims) if kind not in looks)


def one_of_each(
    vocabulary: Vocabulary, kinds: Sequence[type[Operation]], session: str, seed: int
) -> list[Operation]:
    """One operation of each of these kinds on the session."""
    message = made_messages(vocabulary, seed)[0]
    made: dict[type[Operation], Operation] = {
        Append: Append(session, (message,)),
        Create: Create(session),
        Delete: Delete(session),
        Clear: Clear(session),
        PopLast: PopLast(session),
        DeleteMessage: DeleteMessage(session, 1),
        EditMessage: EditMessage(session, 1, message),
        Replace: Replace(session, (message,)),
        SetState: SetState(session, _KEYS[0], 1),
        AppendWithState: AppendWithState(session, (message,), {_OWN_KEYS[0]: 1}),
    }
    return [made[kind] for kind in kinds]


def messages(vocabulary: Vocabulary, seed: int) -> st.SearchStrategy[Message]:
    """Messages within the store's claims: one draw each, the simplest first.

    They are made beforehand, as drawing every field by itself costs more than the store does.
    """
    return st.sampled_from(made_messages(vocabulary, seed))


def batches(
    one: st.SearchStrategy[Message], most: int = 4
) -> st.SearchStrategy[tuple[Message, ...]]:
    """One to ``most`` messages."""
    return st.lists(one, min_size=1, max_size=most).map(tuple)


def _batch_most(vocabulary: Vocabulary) -> int:
    return 4 if vocabulary.claims.limits.batch_bytes is None else 1


def with_state_most(claims: Claims) -> int:
    """Most messages that are sent with state.

    Without atomic batches a part of them may be there, and the promise is that of one message.
    """
    return 4 if claims.atomic_batches and claims.limits.batch_bytes is None else 1


def programs(
    vocabulary: Vocabulary,
    capabilities: Collection[str],
    kinds: Sequence[type[Operation]],
    *,
    seed: int,
    names: Sequence[str] = ("s0",),
    most: int = 24,
) -> Strategy:
    """Programs of these operations on these sessions, ended by a read of each.

    Where the store needs its sessions to be created, the program begins with that.
    """
    one = operation_strategy(vocabulary, kinds, names, seed)
    body = st.one_of(
        st.lists(one, min_size=1, max_size=6), st.lists(one, min_size=8, max_size=most)
    )
    return body.map(lambda steps: finished(steps, names, vocabulary, capabilities))


def swarm(
    vocabulary: Vocabulary,
    capabilities: Collection[str],
    kinds: Sequence[type[Operation]],
    *,
    seed: int,
    sessions: int = 2,
    most: int = 30,
) -> Strategy:
    """Programs without a random part of the operations: rare mixes show what the full mix hides.

    Each ends with all that can be asked, so that no drift stays unseen.
    """
    names = [f"s{number}" for number in range(sessions)]
    one = operation_strategy(vocabulary, kinds, names, seed)
    add = operation_strategy(vocabulary, [Append], names, seed)
    body = st.one_of(
        st.lists(one, min_size=1, max_size=6), st.lists(one | add, min_size=10, max_size=most)
    )
    optional = [kind for kind in kinds if kind not in (Append, Read)]
    without = st.sets(st.sampled_from(optional)) if optional else st.just(set())

    def thinned(steps: list[Operation], left_out: set[type[Operation]]) -> Program:
        kept = [step for step in steps if type(step) not in left_out]
        begun = [*beginnings(names, vocabulary, capabilities), *kept]
        return tokened([*begun, *observations(names, kinds)])

    return st.builds(thinned, body, without)


def finished(
    steps: Sequence[Operation],
    names: Sequence[str],
    vocabulary: Vocabulary,
    capabilities: Collection[str],
) -> Program:
    """The steps with sessions created where needed, tokens given, and a read of each session."""
    reads = [Read(name) for name in names]
    return tokened([*beginnings(names, vocabulary, capabilities), *steps, *reads])


def beginnings(
    names: Sequence[str], vocabulary: Vocabulary, capabilities: Collection[str]
) -> list[Operation]:
    """What makes these sessions ready for appends: nothing where appends create them."""
    claims = vocabulary.claims
    needed = claims.missing_session == "refuses" or claims.session_ids == "store"
    return [Create(name) for name in names] if needed and "create" in capabilities else []


def operation_strategy(
    vocabulary: Vocabulary, kinds: Sequence[type[Operation]], names: Sequence[str], seed: int
) -> st.SearchStrategy[Operation]:
    """One operation of these kinds on one of these sessions."""
    one = messages(vocabulary, seed)
    session = st.sampled_from(list(names))
    small = st.integers(0, 9)
    parts: dict[type[Operation], st.SearchStrategy[Operation]] = {
        Append: st.builds(Append, session, batches(one, _batch_most(vocabulary))),
        Replace: st.builds(Replace, session, st.lists(one, max_size=3).map(tuple)),
        # An edited message keeps its id: whether a client may exchange it is left to the store.
        EditMessage: st.builds(EditMessage, session, small, one.map(lambda m: replace(m, id=None))),
        DeleteMessage: st.builds(DeleteMessage, session, small),
        ReadLast: st.builds(ReadLast, session, small),
        ReadPages: st.builds(ReadPages, session, st.integers(1, 5)),
        GetState: st.builds(GetState, session, st.sampled_from(_KEYS)),
        SetState: st.builds(SetState, session, st.sampled_from(_KEYS), st.integers(0, 9)),
        AppendWithState: st.builds(
            AppendWithState,
            session,
            batches(one, with_state_most(vocabulary.claims)),
            st.dictionaries(st.sampled_from(_OWN_KEYS), small, min_size=1),
        ),
        List: st.just(List()),
        Reopen: st.just(Reopen()),
    }
    plain = (Read, Create, Get, Delete, Clear, Count, PopLast)
    parts |= {kind: st.builds(kind, session) for kind in plain}
    return st.one_of([parts[kind] for kind in kinds])


def tokened(steps: Sequence[Operation]) -> Program:
    """The steps with a token in every message, numbered through the program."""
    number = 0
    out: list[Operation] = []
    for step in steps:
        match step:
            case Append(_, sent) | AppendWithState(_, sent) | Create(_, sent) | Replace(_, sent):
                marked = tuple(_marked(m, number + at) for at, m in enumerate(sent))
                number += len(sent)
                out.append(replace(step, messages=marked))
            case EditMessage(_, _, message):
                out.append(replace(step, message=_marked(message, number)))
                number += 1
            case _:
                out.append(step)
    return tuple(out)


def _marked(message: Message, number: int) -> Message:
    """The message with its token; where it is marked to have a time or an id, with those too."""
    if message.created_at_us == MARK_US:
        message = replace(message, created_at_us=_START_US + number * _STEP_US)
    if message.id == MARK_ID:
        message = replace(message, id=f"given-{number}")
    if message.kind == "tool_call":
        return replace(message, call_id=f"call-{number}")
    return replace(message, content=f"{message.content} #{number}")


def observations(names: Sequence[str], kinds: Collection[type[Operation]]) -> list[Operation]:
    """Everything that can be asked of these sessions, once."""
    out: list[Operation] = []
    for name in names:
        asked = (Read(name), ReadLast(name, 2), ReadPages(name, 3), Count(name), Get(name))
        out += [operation for operation in asked if type(operation) in kinds]
        out += [GetState(name, key) for key in _KEYS] if GetState in kinds else []
    return [*out, *([List()] if List in kinds else [])]
