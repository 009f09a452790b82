"""The oracle as a store agrees with the oracle as a model, and shares nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionproof.checks.transcript import judge
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Operation, Read, Reopen
from sessionproof.contract.store import CAPABILITIES
from sessionproof.oracle.memory import MemoryStore
from sessionproof.workload.execute import StoreUnderTest, execute
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.programs import operation_strategy, tokened
from sessionproof.workload.vocabulary import vocabulary

SPEC = spec_of("memory", MemoryStore)
WORDS = vocabulary(SPEC, MemoryStore.claims)
KINDS = [kind for kind in Operation.__args__ if kind is not Reopen]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The memory store under test, for many programs."""
    directory = tmp_path_factory.mktemp("memory")
    under_test = StoreUnderTest(SPEC, MemoryStore.claims, parent=directory, deadlines=Deadlines())
    yield under_test
    under_test.close()


@settings(max_examples=150)
@given(st.data())
def test_the_store_answers_as_the_model_says(store, data):
    """Any program on the memory store is accepted by the model, operation by operation."""
    steps = data.draw(st.lists(operation_strategy(WORDS, KINDS, ["s0", "s1"], 0), max_size=20))
    transcript = execute(tokened(steps), store)
    assert len(transcript) >= len([one for one in steps if isinstance(one, Append | Read)])
    fault = judge(transcript, MemoryStore.claims)
    assert fault is None, fault


@pytest.fixture
def memory(tmp_path):
    """An empty memory store."""
    return MemoryStore(Location(tmp_path))


def full(text="a"):
    """A message with parts that could be shared."""
    return Message("user", ["a", [text]], metadata={"inside": [1]}, arguments={"x": [2]})


@pytest.mark.parametrize("method", ["append", "replace"])
def test_what_is_passed_is_copied(memory, method):
    """Changing messages after they were passed changes nothing stored."""
    sent = [full()]
    getattr(memory, method)("s", sent)
    spoil(sent)
    assert same(memory.read("s"), [full()])


def test_what_is_passed_to_create_and_edit_is_copied(memory):
    """Changing a new session's messages, or an edit, changes nothing stored."""
    first, second = [full()], [full("b")]
    memory.create("s", messages=first)
    memory.edit_message("s", memory.read("s")[0].id, second[0])
    spoil(first)
    spoil(second)
    assert same(memory.read("s"), [full("b")])


@pytest.mark.parametrize(
    "look",
    [
        lambda memory: memory.read("s"),
        lambda memory: memory.read_last("s", 1),
        lambda memory: memory.page("s").messages,
    ],
    ids=["read", "read_last", "page"],
)
def test_what_is_returned_is_a_copy(memory, look):
    """Changing what was returned changes nothing stored."""
    memory.append("s", [full()])
    spoil(look(memory))
    assert same(memory.read("s"), [full()])


def test_state_is_copied_both_ways(memory):
    """Changing a value of the state, passed or returned, changes nothing stored."""
    value = {"a": [1]}
    memory.set_state("s", "k", value)
    value["a"].append(2)
    memory.get_state("s", "k")["a"].append(3)
    assert memory.get_state("s", "k") == {"a": [1]}


def test_it_promises_what_its_claims_say():
    """All but files, a session's life and transactions; every field, both numbers."""
    claims = MemoryStore.claims
    of_files = {"tables", "verify", "backup", "restore", "recover", "repair", "migrate", "rollback"}
    of_life = {
        "set_limits", "touch", "set_status", "sweep", "set_clock", "snapshot", "restore_snapshot",
        "snapshots", "search", "health", "maintain",
    }  # fmt: skip
    of_several = {"transact", "manager"}  # sessions
    of_users = {
        "add_user", "sign_in", "whose", "sign_out", "set_user_active", "rename_user",
        "delete_user", "set_owner", "sessions_of",
    }  # fmt: skip
    assert {name for name in CAPABILITIES if hasattr(MemoryStore, name)} == (
        set(CAPABILITIES) - of_files - of_life - of_several - of_users
    )
    assert claims.atomic_batches
    assert (claims.seq_start, claims.seq_after_delete) == (1, "never")
    assert claims.handles == Claims().handles


def spoil(messages):
    """Change whatever can be changed."""
    for message in messages:
        message.metadata["inside"].append("changed")
        message.arguments["x"].append("changed")
        message.content[1].append("changed")
    messages.clear()


def same(seen, wanted):
    """Whether contents and insides are equal; ids are the store's."""
    return [(m.content, m.metadata, m.arguments) for m in seen] == [
        (m.content, m.metadata, m.arguments) for m in wanted
    ]
