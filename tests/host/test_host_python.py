"""A Python store in another process behaves as in this one."""

import inspect
import os
import re
from types import MappingProxyType

import hosted_examples
import pytest

from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import ERRORS, Conflict, Indefinite, NotRepresentable, Refused
from sessionproof.contract.frames import AT
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreNotFound
from sessionproof.contract.message import Message, Page, Receipt, SessionInfo
from sessionproof.contract.store import CAPABILITIES, CORE, capabilities_of, shape_problems
from sessionproof.contract.transactions import Step
from sessionproof.host.client import (
    HostedStore,
    MalformedAnswer,
    ProcessEnded,
    Unexpected,
    frame_told,
    open_hosted,
    python_store_command,
)
from sessionproof.workload.guard import outcome_of

FULL = Message(
    "tool", {"a": [1, 2.5, None, True]}, kind="tool_result", name="n", call_id="c",
    arguments={"x": {}}, tokens=2**70, duration_us=5, created_at_us=6, id="m1", metadata={"k": "v"},
)  # fmt: skip


@pytest.fixture
def hosted(tmp_path):
    """Open an example by name; every process is gone at the end."""
    opened = []

    def open_example(name):
        opened.append(open_hosted(f"hosted_examples:{name}", Location(tmp_path)))
        return opened[-1]

    yield open_example
    for store in opened:
        store.kill()


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """One process of the core example, which must live through whatever its tests do."""
    store = open_hosted("hosted_examples:Core", Location(tmp_path_factory.mktemp("core")))
    yield store
    store.close()
    assert store.ended == "exit code 0"


def test_every_method_answers_as_in_process(hosted, tmp_path):
    """Each method of the contract gives through the host what the store gives itself."""
    here, there = hosted_examples.Plain(Location(tmp_path)), hosted("Plain")
    calls = [
        ("append", ("s", [FULL, Message("user", "b", id="m2")]), {}),
        ("read", ("s",), {}), ("create", ("t",), {"messages": [FULL]}), ("create", (), {}),
        ("get", ("s",), {}), ("get", ("none",), {}), ("list", (), {}), ("count", ("s",), {}),
        ("read_last", ("s", 1), {}), ("page", ("s",), {"cursor": None, "limit": 1}),
        ("page", ("s",), {"cursor": 1, "limit": 1}),
        ("edit_message", ("s", "m2", Message("user", "c", id="m2")), {}),
        ("delete_message", ("s", "m1"), {}), ("pop_last", ("s",), {}), ("pop_last", ("s",), {}),
        ("replace", ("s", [FULL]), {}), ("set_state", ("s", "k", {"deep": [1.0]}), {}),
        ("append_with_state", ("s", [FULL], {"k": [None], "l": 1.5}), {}),
        ("transact", ([Step("t", (FULL,)), Step("s")],), {}),
        ("get_state", ("s", "k"), {}), ("get_state", ("s", "none"), {}), ("tables", (), {}),
        ("add_llm_model", ("large-1",), {}), ("set_llm_model", ("s", "large-1"), {}),
        ("set_llm_model", ("s", None), {}), ("delete_llm_model", ("large-1",), {}),
        ("clear", ("s",), {}), ("delete", ("t",), {}), ("list", (), {}), ("read", ("s",), {}),
        ("verify", (), {}), ("verify", ("s",), {}), ("backup", ("f",), {"keep": 2}),
        ("restore", ("none", "d"), {}), ("restore", ("b", "d"), {}), ("recover", ("f", "d"), {}),
        ("repair", ("d",), {}), ("repair", ("d",), {"dry_run": False}),
        ("migrate", ("f", "d"), {"dry_run": True}), ("rollback", ("d",), {}),
        ("set_limits", ("s",), {"idle_us": 1}), ("touch", ("s",), {}), ("sweep", (), {}),
        ("set_status", ("s", "paused"), {}), ("set_clock", (None,), {}), ("search", ("a b",), {}),
        ("snapshot", ("s",), {"reason": "why"}), ("restore_snapshot", ("1",), {"session_id": "u"}),
        ("snapshots", (), {}), ("snapshots", ("s",), {}), ("health", (), {}), ("maintain", (), {}),
        ("add_user", ("a", "p"), {}), ("sign_in", ("a", "p"), {"idle_us": 1}),
        ("whose", ("t",), {}), ("sign_out", ("t",), {}), ("set_user_active", ("1", False), {}),
        ("rename_user", ("1", "b"), {}), ("delete_user", ("1",), {}), ("set_owner", ("s", "1"), {}),
        ("sessions_of", ("1",), {}), ("manager", ("get_session", {"session_id": "\ud83d"}), {}),
    ]  # fmt: skip
    assert {name for name, _, _ in calls} >= set(CAPABILITIES)
    for name, positional, keywords in calls:
        expected = _plain(getattr(here, name)(*positional, **keywords))
        assert _plain(getattr(there, name)(*positional, **keywords)) == expected, name


def test_a_creation_without_a_place_for_messages_says_so(hosted):
    """It is called without them, is told in the claims, and refuses what it has no place for."""
    store = hosted("Empty")
    assert not store.claims.limits.first_messages
    assert store.create("t") == "t"
    assert store.create() == "own"
    with pytest.raises(NotRepresentable, match="create takes no messages"):
        store.create("u", messages=[FULL])


def _plain(value):
    match value:
        case Receipt(seqs, ids):
            return Receipt(seqs and list(seqs), ids)
        case Page(messages, following):
            return Page(list(messages), following)
        case list() | tuple():
            return [_plain(one) for one in value]
    return value


def test_handshake_tells_what_the_store_is(hosted):
    """Claims, version and capabilities are those of the store, and the shape is the contract's."""
    plain, core = hosted("Plain"), hosted("Core")
    assert plain.claims == hosted_examples.Plain.claims
    assert (plain.version, core.version, core.claims) == ("7.1", None, None)
    assert capabilities_of(plain) == set(CAPABILITIES)
    assert capabilities_of(core) == set()
    assert shape_problems(plain) == shape_problems(core) == []
    assert isinstance(plain.claims, Claims)
    assert isinstance(plain.get("x"), SessionInfo | None)


@pytest.mark.parametrize(
    "text",
    ["", "\ud83d", "\ude00\ud83d", "\0a\0", "\u2028\u2029\r\n", "😀é", "x" * 5 * 1024 * 1024],
    ids=["empty", "surrogate", "swapped surrogates", "NUL", "separators", "unicode", "5 MiB"],
)
def test_texts_come_back_equal(hosted_plain, text):
    """Any Python text survives both ways: as content, as key, as session id."""
    message = Message("user", text, metadata={text: text})
    hosted_plain.replace(text, [message])
    assert hosted_plain.read(text) == [message]


@pytest.fixture(scope="module")
def hosted_plain(tmp_path_factory):
    """One process of the full example."""
    store = open_hosted("hosted_examples:Plain", Location(tmp_path_factory.mktemp("plain")))
    yield store
    store.close()


@pytest.mark.parametrize("name", ERRORS)
def test_contract_errors_keep_their_class(core, name):
    """An error of the contract arrives as the same class with the same text."""
    with pytest.raises(ERRORS[name]) as caught:
        core.read(name)
    assert type(caught.value) is ERRORS[name]
    assert str(caught.value) == "no"


def test_a_stores_own_subclass_arrives_as_its_ancestor(core):
    """A subclass of a contract error is the nearest class that the contract knows."""
    with pytest.raises(Conflict, match="version 3"):
        core.read("own")


@pytest.mark.parametrize(
    ("session", "type_name", "words"),
    [
        ("exits", "SystemExit", "enough"),
        ("interrupts", "KeyboardInterrupt", "read raised"),
        ("hostile", "Hostile", "__str__ raised SystemExit"),
        ("unheard_of", "AttributeError", "_unheard_of"),
        ("endless", "RecursionError", "read raised"),
    ],
)
def test_other_exceptions_leave_the_outcome_open(core, session, type_name, words):
    """Whatever else a store raises is Unexpected with its type's name, and the process lives."""
    with pytest.raises(Unexpected, match=words) as caught:
        core.read(session)
    assert caught.value.type == type_name
    assert isinstance(caught.value, Indefinite)


def test_malformed_answers_list_all_problems(core):
    """An answer that the contract does not allow is told with every problem at once."""
    with pytest.raises(MalformedAnswer) as caught:
        core.read("malformed")
    for words in ("[0]: content holds a set", "[1]: a str", "[2]: metadata holds a key that is"):
        assert words in str(caught.value)


def test_prints_cannot_forge_an_answer(core):
    """What a store, its libraries or its children print goes to stderr, never to the harness."""
    assert core.read("prints") == []
    for words in ("while importing", "forged", "past Python", "a child"):
        assert words in core.stderr_tail()


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (Message("user", b"bytes"), "content holds a bytes"),
        (
            Message("user", float("nan")),
            "content holds a number without a value, which JSON cannot express",
        ),
        (Message("user", "x", metadata={1: "a"}), "metadata holds a key that is a int"),
        ("text", "a str where a Message is expected"),
    ],
)
def test_what_json_cannot_say_is_refused_unsent(core, message, words):
    """A message that no line can carry is NotRepresentable, and the store never hears of it."""
    with pytest.raises(NotRepresentable) as caught:
        core.append("s", [message])
    assert words in str(caught.value)


def test_messages_are_not_judged_by_the_wire(hosted_plain):
    """Wrong types reach the store, and come back from it, as they would in one process."""
    wrong = [Message(7, "x", kind=None, tokens="12", created_at_us=1.5, metadata="text")]
    hosted_plain.append("wrong", wrong)
    assert hosted_plain.read("wrong") == wrong


def test_subclasses_travel_as_what_they_are(hosted_plain):
    """A text or number of a subclass, and a mapping, arrive as JSON's own types."""

    class Word(str):
        __slots__ = ()

    message = Message(Word("user"), (1, MappingProxyType({Word("k"): Word("v")})), tokens=True)
    hosted_plain.append("classes", [message])
    assert hosted_plain.read("classes") == [Message("user", [1, {"k": "v"}], tokens=True)]


def test_process_that_leaves_during_a_call(hosted):
    """os._exit(0) is a crash, not a success; later calls are refused, and close stays quiet."""
    store = hosted("Core")
    with pytest.raises(ProcessEnded, match=r"ended \(exit code 0\) in the middle of read"):
        store.read("leaves")
    with pytest.raises(Refused, match=r"process has ended \(exit code 0\)"):
        store.append("s", [])
    store.close()


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("Unopenable", Unexpected, "RuntimeError: the licence has run out"),
        ("Misshapen", StoreNotFound, r"append\(session_id\) does not take"),
        ("Absent", StoreNotFound, "no attribute 'Absent'"),
    ],
)
def test_stores_that_cannot_be_opened_say_why(tmp_path, name, error, words):
    """The reason arrives with the exception."""
    with pytest.raises(error, match=words):
        open_hosted(f"hosted_examples:{name}", Location(tmp_path))


@pytest.mark.parametrize("name", ["Asynchronous", "open_coroutine"])
def test_asynchronous_stores_live_on_one_loop(hosted, name):
    """All calls come from the loop that opened the store, and its tasks run between them."""
    store = hosted(name)
    store.append("s", [])
    first = store.count("s")
    for _ in range(200):
        if store.count("s") > first + 3:
            break
    assert store.count("s") > first
    with pytest.raises(Unexpected, match="SystemExit"):
        store.read("exits")
    store.close()
    assert store.ended == "exit code 0"


def test_synchronous_stores_may_run_loops_of_their_own(hosted):
    """A synchronous store is called outside any loop, so asyncio.run works in it."""
    assert hosted("Loops").read("s") == [Message("user", "from a loop")]


def test_close_leaves_nothing(hosted):
    """After close there is no process and no zombie; closing again is quiet."""
    store = hosted("Core")
    store.close()
    store.close()
    with pytest.raises(ProcessLookupError):
        os.kill(store.pid, 0)


def test_import_path_is_handed_on_exactly():
    """The command repeats this process's import path, empty entries and order included."""
    command = python_store_command("m:a")
    assert command[-1] == "m:a"
    assert any(part.startswith("--path=") and part.endswith("tests/host") for part in command)


@pytest.mark.parametrize("name", [*CORE, *CAPABILITIES])
def test_hosted_store_has_the_contracts_signatures(name):
    """Each method takes exactly the parameters of the contract."""
    parameters = [
        [(one.name, one.kind, one.default) for one in signature.parameters.values()]
        for signature in (
            inspect.signature(getattr(HostedStore, name)),
            {**CORE, **CAPABILITIES}[name].signature,
        )
    ]
    assert parameters[0] == parameters[1]


@pytest.mark.parametrize("session", ["own", "unheard_of"])
def test_the_line_that_raised_comes_along(core, session):
    """A refusal and any other exception name it, as they do in process."""
    with pytest.raises((Conflict, Unexpected)) as caught:
        core.read(session)
    assert re.match(r"(.*/)?hosted_examples\.py:\d+: \w", frame_told(caught.value))
    outcome = outcome_of(caught.value)
    assert outcome.evidence[AT] == frame_told(caught.value)


def test_a_store_in_process_says_nothing_of_another_process():
    """An error of its own may have any attribute."""
    error = type("Own", (Conflict,), {"at": "x"})("no")
    assert frame_told(error) == frame_told(Conflict("no")) == frame_told(KeyError("at")) == ""
