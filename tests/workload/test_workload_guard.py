"""The guard: whatever a store does, a handle answers in time and in plain values."""

import asyncio
import threading
import time

import pytest

from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Conflict, Indefinite, NotFound, Refused
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message, Page
from sessionproof.contract.operations import (
    Append,
    Count,
    Create,
    List,
    PopLast,
    Read,
    ReadPages,
    SetState,
)
from sessionproof.oracle.memory import MemoryStore
from sessionproof.workload import shapes
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.profiles import Deadlines

A = Message("user", "a")
SHORT = Deadlines(operation_s=0.3, open_s=0.3)


@pytest.fixture(autouse=True)
def _nothing_is_left():
    """Every thread of a handle ends with it; one that hangs on purpose is told to."""
    released.clear()
    before = set(threading.enumerate())
    yield
    released.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(2)
    assert set(threading.enumerate()) <= before


released = threading.Event()  # what a store that hangs is waiting for


@pytest.fixture
def opened(tmp_path):
    """Open a store that answers ``answer`` to one method, or any factory."""
    handles = []

    def open_it(factory, *, deadlines=SHORT, **methods):
        store = type("Odd", (MemoryStore,), methods) if methods else factory
        handles.append(Handle(spec_of("odd", store), Location(tmp_path), deadlines=deadlines))
        return handles[-1]

    yield open_it
    for handle in handles:
        handle.close()


def answers(value):
    """A method that answers this, or calls it to get the answer."""
    return lambda self, *arguments, **options: value() if callable(value) else value


class AsyncStore:
    """The core, awaited."""

    def __init__(self, location):
        self.sessions = {}
        self.loop = asyncio.get_running_loop()

    async def append(self, session_id, messages):
        await asyncio.sleep(0)
        self.sessions.setdefault(session_id, []).extend(messages)

    async def read(self, session_id):
        assert asyncio.get_running_loop() is self.loop
        return await asyncio.get_running_loop().run_in_executor(
            None, lambda: list(self.sessions.get(session_id, ()))
        )

    def count(self, session_id):
        return len(self.sessions.get(session_id, ()))

    async def close(self):
        await asyncio.sleep(0)


async def open_later(location):
    """An asynchronous factory."""
    await asyncio.sleep(0)
    return AsyncStore(location)


@pytest.mark.parametrize("factory", [MemoryStore, open_later])
def test_stores_of_every_colour_are_used_alike(opened, factory):
    """Plain, asynchronous and mixed methods, and an asynchronous factory, answer the same."""
    handle = opened(factory)
    assert handle.invoke(Append("s0", (A,)), "x").type == "ok"
    assert [m.content for m in handle.invoke(Read("s0"), "x").value] == ["a"]
    assert handle.invoke(Count("s0"), "x").value == 1
    assert handle.close().type == "ok"


def test_closing_twice_is_harmless(opened):
    """A closed handle answers every call at once, and says that it was dropped."""
    handle = opened(MemoryStore)
    assert handle.close().type == "ok"
    for outcome in (handle.close(), handle.invoke(Read("s0"), "x"), handle.perform("x", print)):
        assert outcome.type == "info"
        assert "dropped" in outcome.failure.text


def waits(self, *arguments):
    """Hang until the test is over."""
    released.wait(20)


async def waits_async(self, *arguments):
    """The same, in the event loop."""
    while not released.is_set():
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("method", [waits, waits_async])
def test_a_hang_is_an_open_outcome_with_its_stack(opened, method):
    """A call that does not end is given up: the stack shows where it was, the handle is dropped."""
    handle = opened(None, read=method)
    outcome = handle.invoke(Read("s0"), "x")
    assert (outcome.type, outcome.failure.type) == ("info", "hang")
    assert outcome.failure.text == "no answer within 0.3 s"
    assert "_invoke" in outcome.failure.evidence["stack"]
    assert handle.dropped
    assert handle.invoke(Count("s0"), "x").failure.type == "hang"


def test_a_store_that_opens_too_slowly_cannot_be_opened(opened):
    """Opening has a deadline of its own."""
    with pytest.raises(CannotOpen, match=r"did not open within 0\.3 s"):
        opened(None, __init__=lambda self, location: released.wait(20) and None)


@pytest.mark.parametrize(
    ("error", "sort"),
    [
        (Refused, "fail"), (Conflict, "fail"), (NotFound, "fail"), (Indefinite, "info"),
        (KeyError, "info"), (SystemExit, "info"), (KeyboardInterrupt, "info"),
        (asyncio.CancelledError, "info"), (GeneratorExit, "info"), (RecursionError, "info"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_async", [False, True])
def test_errors_say_what_may_be_concluded(opened, error, sort, is_async):
    """Refusals are definite, every other exception is open; none gets out of the guard."""

    def raises(self, session_id):
        raise error("no\nat all")

    async def raises_later(self, session_id):
        raise error("no\nat all")

    handle = opened(None, read=raises_later if is_async else raises)
    outcome = handle.invoke(Read("s0"), "x")
    assert (outcome.type, outcome.failure.type) == (sort, error.__name__)
    assert "all" in outcome.failure.text
    assert "raises" in outcome.failure.evidence["traceback"]
    assert handle.invoke(Append("s0", (A,)), "x").type == "ok"


class HostileText(str):
    """A text that lies, and breaks what touches it."""

    __slots__ = ()
    __hash__ = None

    def __eq__(self, other):
        return True

    def __getitem__(self, at):
        return self

    def _fails(self, *arguments):
        raise SystemExit(1)

    __repr__ = __str__ = __len__ = __iter__ = __format__ = encode = split = isprintable = _fails


class SilentError(Exception):
    """An error that cannot be shown."""

    def __str__(self):
        raise KeyboardInterrupt


class LyingError(Exception):
    """An error whose text is no plain text."""

    def __str__(self):
        return HostileText("lies")


class ShapelessError(Exception):
    """An error that cannot even be looked at."""

    @property
    def __class__(self):
        raise RuntimeError("do not look")

    @property
    def __traceback__(self):
        raise RuntimeError("do not look")


@pytest.mark.parametrize("error", [SilentError, LyingError, ShapelessError])
def test_hostile_errors_do_no_harm(opened, error):
    """An error with hostile parts is an open outcome in plain words, at once."""

    def raises(self, session_id):
        raise error

    handle = opened(None, deadlines=Deadlines(operation_s=5), read=raises)
    started = time.perf_counter()
    outcome = handle.invoke(Read("s0"), "x")
    assert outcome.type == "info"
    assert outcome.failure.type != "hang"
    assert type(outcome.failure.text) is str
    assert outcome.failure.text.isprintable()
    assert time.perf_counter() - started < 4


class Hostile:
    """An object that fails at every touch."""

    __hash__ = None

    def _fails(self, *arguments):
        raise SystemExit(1)

    __eq__ = __repr__ = __str__ = __len__ = __iter__ = __bool__ = __getattr__ = _fails


class Endless(list):
    """A list without end."""

    def __iter__(self):
        while True:
            yield A


class EndlessMapping(dict):
    """A dict that holds itself."""

    def items(self):
        return [("again", self)]


@pytest.mark.parametrize(
    ("operation", "answer", "parts"),
    [
        (Read("s0"), Hostile(), ["a Hostile", "a list"]),
        (Read("s0"), [Hostile()], ["messages[0]", "a Hostile", "sessionproof.Message"]),
        (Read("s0"), None, ["a NoneType"]),
        (Read("s0"), "text", ["a str", "a list"]),
        (Read("s0"), (one for one in [A]), ["a generator"]),
        (Read("s0"), {"a": A}, ["a dict"]),
        (Read("s0"), [{"role": "user", "content": "a"}], ["messages[0] is a dict"]),
        (Read("s0"), [A, Message("user", b"x")], ["messages[1]", "a bytes"]),
        (Read("s0"), [Message("user", Hostile())], ["messages[0]", "a Hostile"]),
        (Read("s0"), [Message("user", EndlessMapping())], ["nested deeper than 100 levels"]),
        (Read("s0"), [Message("user", "a", tokens=1 << 20_000)], ["tokens holds", "20,001 bits"]),
        (Read("s0"), [Message("user", "x" * (65 << 20))], ["a text of 68,157,440 characters"]),
        (Count("s0"), 1 << 20_000, ["count holds a number of 20,001 bits"]),
        (Count("s0"), type("N" * 100_000, (), {})(), [f"a {'N' * 100},"]),
        (Read("s0"), [Message(1, "a"), Message("user", "a", tokens="3", name=b"n")],
         ["messages[0]: role", "messages[1]: tokens", "messages[1]: name"]),
        (Read("s0"), [None] * 40, ["messages[0]", "messages[11]", "28 problems more"]),
        (Count("s0"), True, ["count is a bool", "an integer"]),
        (Count("s0"), 1.0, ["count is a float"]),
        (Count("s0"), None, ["count is a NoneType"]),
        (Create("s0"), None, ["create is a NoneType", "a string"]),
        (Create("s0"), 7, ["create is an int"]),
        (List(), {"s0"}, ["list", "a set"]),
        (List(), [b"s0"], ["list[0] is a bytes"]),
        (PopLast("s0"), [A], ["pop_last is a list"]),
        (Append("s0", (A, A)), 2, ["append answered an int", "Receipt or None"]),
        (ReadPages("s0", 1), [A], ["page answered a list", "sessionproof.Page"]),
        (ReadPages("s0", 1), Page(None), ["messages", "a NoneType"]),
        (ReadPages("s0", 1), Page([A], 1.5), ["Page.next is a float"]),
        (ReadPages("s0", 1), Page([A], True), ["Page.next is a bool"]),
        (ReadPages("s0", 1), Page([A], 1 << 20_000), ["Page.next holds", "20,001 bits"]),
        (ReadPages("s0", 1), Page([A], "c"), ["cursor 'c'", "never ends"]),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_malformed_answers_are_told_apart(opened, operation, answer, parts):
    """An answer of the wrong type or shape is malformed, with all that is wrong in words."""
    method = {ReadPages: "page", PopLast: "pop_last"}.get(
        type(operation), type(operation).__name__.lower()
    )
    handle = opened(None, deadlines=Deadlines(operation_s=5), **{method: answers(lambda: answer)})
    outcome = handle.invoke(operation, "x")
    assert (outcome.type, outcome.failure.type) == ("info", "malformed-answer")
    for part in parts:
        assert part in outcome.failure.text
    assert not handle.dropped


def test_an_endless_answer_ends(opened, monkeypatch):
    """A sequence without end is cut, and said to have none."""
    monkeypatch.setattr(shapes, "_LONGEST", 1_000)
    handle = opened(None, deadlines=Deadlines(operation_s=5), read=answers(Endless()))
    outcome = handle.invoke(Read("s0"), "x")
    assert outcome.failure.type == "malformed-answer"
    assert "more than 1,000 elements, or no end" in outcome.failure.text


def test_cursors_without_end_are_a_hang(opened):
    """Pages that never end, each with a new cursor, are given up in time."""
    numbers = iter(range(10**9))
    handle = opened(None, page=answers(lambda: Page([], next(numbers))))
    assert handle.invoke(ReadPages("s0", 1), "x").failure.type in ("malformed-answer", "hang")


def test_what_behaves_like_text_is_copied_to_text(opened):
    """Subclasses of str, Message and Page are good answers, and come out as plain values."""
    lie = HostileText("a")

    class OurMessage(Message):
        """A message of the store's own."""

    class OurPage(Page):
        """A page of the store's own."""

    class Cursor(str):
        """A cursor of the store's own."""

        __slots__ = ()

    pages = {None: OurPage([OurMessage("user", lie)], Cursor("c")), "c": OurPage([A])}
    handle = opened(
        None,
        read=answers(lambda: (OurMessage("user", lie, metadata={"k": lie}),)),
        page=lambda self, session_id, *, cursor, limit: pages[cursor],
    )
    (read,) = handle.invoke(Read("s0"), "x").value
    assert (type(read), type(read.content)) == (Message, str)
    assert read == Message("user", "a", metadata={"k": "a"})
    assert handle.invoke(ReadPages("s0", 1), "x").value == ((Message("user", "a"),), (A,))


def test_a_store_cannot_change_what_is_expected(opened):
    """What a store does to the messages that it is given stays with the store."""
    sent = Message("user", ["a"], metadata={"k": [1]}, arguments={"x": 1})
    value = {"deep": [1]}

    def append(self, session_id, messages):
        for message in messages:
            message.metadata["k"].append(2)
            message.content.append("b")
            object.__setattr__(message, "role", "changed")
        messages.clear()

    def set_state(self, session_id, key, value):
        value["deep"].append(2)

    handle = opened(None, append=append, set_state=set_state)
    assert handle.invoke(Append("s0", (sent,)), "x").type == "ok"
    assert handle.invoke(SetState("s0", "k", value), "x").type == "ok"
    assert sent == Message("user", ["a"], metadata={"k": [1]}, arguments={"x": 1})
    assert value == {"deep": [1]}


@pytest.mark.parametrize(
    ("methods", "parts"),
    [
        ({"append": None}, ["has no method append"]),
        ({"count": lambda self: 0, "pop_last": lambda self: 0}, ["count", "pop_last"]),
        ({"claims": {"a": 1}}, ["claims is a dict"]),
        ({"__init__": lambda self, location: 1 / 0}, ["ZeroDivisionError: division by zero"]),
    ],
    ids="-".join,
)
def test_what_cannot_be_opened_is_one_line(tmp_path, methods, parts):
    """A store with the wrong shape is refused, with all its problems in one line."""
    store = type("Odd", (MemoryStore,), {"claims": None, **methods})
    spec = spec_of("odd", lambda location: store(location))
    with pytest.raises(CannotOpen) as caught:
        Handle(spec, Location(tmp_path), deadlines=SHORT)
    assert len(str(caught.value).splitlines()) == 1
    for part in parts:
        assert part in str(caught.value)


def test_facts_of_a_store_are_those_of_its_handle(opened):
    """Claims and version of the open handle come before those of the factory."""
    handle = opened(None, claims=Claims(fair=True), version="2")
    assert (handle.claims, handle.version) == (Claims(fair=True), "2")
    assert "tables" not in handle.capabilities
