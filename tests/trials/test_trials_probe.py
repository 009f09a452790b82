"""Probing: the claims that agree with what a silent store answers to a few calls."""

import threading
from dataclasses import replace
from functools import partial

import pytest

from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import NotFound, Refused
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import MESSAGE_FIELDS, Message, Receipt
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore
from sessionproof.trials.probe import probe, survives
from sessionproof.trials.probe_handles import opened_by_many
from sessionproof.workload.guard import Handle
from sessionproof.workload.profiles import Deadlines


class Small:
    """Append and read, and nothing more."""

    def __init__(self, location):
        self.sessions = {}

    def append(self, session_id, messages):
        """Keep what ``kept`` makes of each message."""
        self.sessions.setdefault(session_id, []).extend(map(self.kept, messages))

    def kept(self, message):
        """Role and content."""
        return Message(message.role, message.content)

    def read(self, session_id):
        """All messages."""
        return list(self.sessions.get(session_id, ()))

    def close(self):
        """Nothing is open."""


def small(**methods):
    """A small store with other methods."""
    return type("Odd", (Small,), methods)


@pytest.fixture
def open_it(tmp_path):
    """Open a store of this class, as often as needed."""
    handles = []

    def make(store):
        spec = spec_of("odd", store)
        handles.append(
            Handle(spec, Location(tmp_path), deadlines=Deadlines(operation_s=5, open_s=5))
        )
        return handles[-1]

    yield make
    for handle in handles:
        handle.close()


def probed(open_it, store):
    """What probing a store of this class gives."""
    return probe(open_it(store))


def test_the_oracle_keeps_everything(open_it):
    """A store that can all is probed as such."""
    claims = probed(open_it, MemoryStore)
    assert claims.keeps >= set(MESSAGE_FIELDS) - {"id"}
    assert claims.roles >= {"system", "user", "assistant", "tool"}
    assert claims.kinds == {"text", "tool_call", "tool_result"}
    assert (claims.seq_start, claims.seq_after_delete) == (1, "never")
    assert (claims.missing_session, claims.session_ids) == ("creates", "caller")
    assert claims.order == "append"


def test_a_small_store_keeps_little(open_it):
    """What does not come back is not claimed."""
    claims = probed(open_it, Small)
    assert claims.keeps >= {"role", "content"}
    assert not claims.keeps & {"name", "tokens", "duration_us", "metadata", "call_id", "arguments"}
    assert claims.kinds == {"text"}
    assert claims.seq_start is None


def test_content_alone_may_be_kept(open_it):
    """A store without roles is tried with its contents."""
    claims = probed(open_it, small(kept=lambda self, message: Message(None, message.content)))
    assert "role" not in claims.keeps
    assert "content" in claims.keeps


def test_a_store_that_loses_contents_is_not_excused(open_it):
    """Losing the content is a fault to be found, and no modest claim."""
    claims = probed(open_it, small(kept=lambda self, message: Message(message.role, "x")))
    assert "content" in claims.keeps


def test_a_field_that_is_made_up_when_absent_is_not_kept(open_it):
    """A count of 0 where none was given is not what was sent."""

    def kept(self, message):
        return replace(message, tokens=message.tokens or 0, metadata=message.metadata or {})

    claims = probed(open_it, small(kept=kept))
    assert not claims.keeps & {"tokens", "metadata"}
    assert "duration_us" in claims.keeps


def test_roles_are_those_that_come_back(open_it):
    """A role that is refused, or comes back as another, is not claimed."""

    def kept(self, message):
        if message.role == "tool":
            raise Refused("no tools here")
        role = "assistant" if message.role == "developer" else message.role
        return Message(role, message.content)

    assert probed(open_it, small(kept=kept)).roles == {"system", "user", "assistant"}


def test_sessions_may_have_to_be_created(open_it):
    """A store that refuses appends to unknown sessions is given its sessions first."""

    def append(self, session_id, messages):
        if session_id not in self.sessions:
            raise NotFound(session_id)
        Small.append(self, session_id, messages)

    def create(self, session_id=None, *, messages=()):
        self.sessions[session_id] = list(messages)
        return session_id

    def create_named(self, session_id=None, *, messages=()):
        return create(self, f"n{len(self.sessions)}", messages=messages)

    claims = probed(open_it, small(append=append, create=create))
    assert (claims.missing_session, claims.session_ids) == ("refuses", "caller")
    assert {"role", "content"} <= claims.keeps
    named = probed(open_it, small(append=append, create=create_named))
    assert (named.missing_session, named.session_ids) == ("refuses", "store")
    assert {"role", "content"} <= named.keeps


def numbered(first, *, per_session):
    """An append that answers numbers."""

    def append(self, session_id, messages):
        Small.append(self, session_id, messages)
        sessions = [self.sessions[session_id]] if per_session else self.sessions.values()
        end = sum(map(len, sessions)) + first
        return Receipt(seqs=range(end - len(messages), end))

    return append


def test_numbers_are_seen_in_receipts(open_it):
    """The first number of a session is the start; without removals nothing is said of reuse."""
    claims = probed(open_it, small(append=numbered(0, per_session=True)))
    assert (claims.seq_start, claims.seq_after_delete) == (0, None)

    def pop_last(self, session_id):
        return self.sessions[session_id].pop()

    reuses = small(append=numbered(1, per_session=True), pop_last=pop_last)
    assert probed(open_it, reuses).seq_after_delete == "reuse"


def test_numbers_of_the_whole_store_are_not_a_session_s(open_it):
    """Numbers that run through all sessions have no start in each."""
    claims = probed(open_it, small(append=numbered(1, per_session=False)))
    assert claims.seq_start is None


@pytest.mark.parametrize(
    ("lost", "kinds"),
    [
        ((), {"text", "tool_call", "tool_result"}),
        (("arguments",), {"text", "tool_result"}),
        (("call_id",), {"text"}),
        (("kind",), {"text"}),
    ],
)
def test_tools_are_claimed_as_far_as_they_come_back(open_it, lost, kinds):
    """A call needs its name, id and arguments; a result its id."""
    blank = {name: "text" if name == "kind" else None for name in lost}
    claims = probed(open_it, small(kept=lambda self, message: replace(message, **blank)))
    assert claims.kinds == kinds
    assert not set(lost) & claims.keeps - {"kind"}


def test_order_by_time_is_seen(open_it):
    """A store that sorts by time is not asked for append order."""

    def read(self, session_id):
        return sorted(Small.read(self, session_id), key=lambda m: m.created_at_us or 0)

    claims = probed(open_it, small(kept=lambda self, message: message, read=read))
    assert claims.order == "timestamp"
    assert probed(open_it, small(kept=lambda self, message: message)).order == "append"


def test_a_store_that_fails_always_is_probed_too(open_it):
    """Whatever fails, probing ends with claims."""

    def fails(self, *arguments):
        raise RuntimeError("never")

    claims = probed(open_it, small(append=fails, read=fails))
    assert isinstance(claims, Claims)
    assert claims.keeps == {"content"}


def test_probing_does_not_trip_over_its_own_sessions(open_it):
    """The same handle can be probed twice, with the same result."""
    handle = open_it(MemoryStore)
    assert probe(handle) == probe(handle)


SHARED = {}  # what outlives a handle


@pytest.mark.parametrize(("lasting", "level"), [(True, "process"), (False, "none")])
def test_what_survives_a_close_is_seen(open_it, lasting, level):
    """One close and one open show whether the data stay."""
    SHARED.clear()

    def opens(self, location):
        self.sessions = SHARED if lasting else {}

    store = small(__init__=opens)
    handle = open_it(store)
    claims = survives(handle, lambda: open_it(store), probe(handle))
    assert claims.durability == level


def test_a_store_that_does_not_open_again_keeps_nothing(open_it):
    """What cannot be opened a second time is no promise of durability."""
    opened = []

    def opens_once(self, location):
        if opened:
            raise RuntimeError("only once")
        opened.append(location)
        self.sessions = {}

    store = small(__init__=opens_once)
    handle = open_it(store)
    claims = survives(handle, lambda: open_it(store), probe(handle))
    assert claims.durability == "none"


def by_many(open_it, store, claims=None):
    """What opening a store of this class beside itself shows; the other process is this one."""
    handle = open_it(store)
    again = partial(open_it, store)
    claims = claims or probe(handle)
    return opened_by_many(handle, again, again, claims, awaits=bool(handle.awaited))


def test_a_store_for_many_is_tried_with_many(open_it):
    """A store that sees what another handle wrote is tried by all kinds of clients."""
    claims = by_many(open_it, ReferenceStore)
    assert (claims.handles, claims.shared_handle) == ("processes", True)
    assert claims.consistency == "linearizable"
    assert claims.isolation == "strict-serializable"
    assert claims.writers > 1


def test_a_store_of_one_handle_is_tried_by_threads_that_share_it(open_it):
    """A store whose handles do not see each other may still be shared by threads."""
    claims = by_many(open_it, Small)
    assert (claims.handles, claims.shared_handle) == ("threads", True)
    assert claims.isolation is None  # it has no transactions


def test_a_store_of_one_thread_is_not_tried_with_many(open_it):
    """A store that refuses other threads and other handles promises nothing to many."""

    def append(self, session_id, messages):
        if threading.get_ident() != self.owner:
            raise RuntimeError("another thread")
        Small.append(self, session_id, messages)

    def opened(self, location):
        Small.__init__(self, location)
        self.owner = threading.get_ident()

    claims = by_many(open_it, small(append=append, __init__=opened))
    assert (claims.handles, claims.shared_handle) == ("one", False)
    assert claims.consistency == "none"


def test_a_location_that_opens_once_is_probed_by_itself(open_it):
    """A store that refuses a second handle promises nothing about it."""

    def opened(self, location):
        Small.__init__(self, location)
        location.path("lock").touch(exist_ok=False)

    claims = by_many(open_it, small(__init__=opened))
    assert claims.handles == "threads"
