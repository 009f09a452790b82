"""Appending, reading, paging and changing messages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessionproof import (
    Conflict,
    Expired,
    Message,
    NotFound,
    NotRepresentable,
    Page,
    Receipt,
    Refused,
    TooLarge,
)
from sessionproof.contract.message import canonical
from sessionproof.contract.store import capabilities_of, shape_problems
from sessionproof.reference import ReferenceStore
from sessionproof.reference.statements import CHUNK

FULL = Message(
    "assistant",
    None,
    kind="tool_call",
    name="lookup",
    call_id="call-1",
    arguments={"city": "Oslo", "days": [1, 2.5, None, True]},
    tokens=12,
    duration_us=3_400,
    created_at_us=1_700_000_000_000_001,
    id="mine",
    metadata={"model": "m", "nested": {"a": []}},
)


def say(*texts: str) -> list[Message]:
    return [Message("user", text) for text in texts]


def contents(messages) -> list:
    return [message.content for message in messages]


def test_has_the_contracts_shape(store: ReferenceStore):
    """Every method takes the contract's call, and every capability of this contract is there."""
    assert shape_problems(store) == []
    assert capabilities_of(store) >= {
        "create", "get", "list", "delete", "clear", "read_last", "page", "count", "pop_last",
        "delete_message", "edit_message", "replace", "get_state", "set_state", "tables",
    }  # fmt: skip


def test_keeps_every_field(store: ReferenceStore):
    """A message comes back equal in every field."""
    store.append("s", [FULL])
    assert store.read("s") == [FULL]


def test_keeps_none_in_every_optional_field(store: ReferenceStore, clock):
    """A bare message comes back with the store's id and time, and None elsewhere."""
    receipt = store.append("s", [Message(None, None)])
    expected = Message(None, None, id=receipt.ids[0], created_at_us=clock.now_us())
    assert store.read("s") == [expected]


CONTENTS = [
    None, "", "text", "1", "null", "true", '{"a": 1}', "[1]", '"', 1, 0, -1, 2**80, 1.0, 1.5, -0.0,
    1e300, True, False, [], {}, [None], {"": ""}, {"a": [1, 1.0, True, "1", None, {"b": []}]},
    ["\0", "\ud800", "\ud83d\ude00", "😀", "\u2028"],
]  # fmt: skip


@pytest.mark.parametrize("content", CONTENTS, ids=ascii)
def test_keeps_content_and_its_type(store: ReferenceStore, content):
    """Text stays text, JSON stays JSON of the same type, None stays None."""
    store.append("s", [Message("user", content, arguments=content)])
    (message,) = store.read("s")
    assert canonical(message.content) == canonical(content)
    assert message.content == content
    assert type(message.content) is type(content)
    assert canonical(message.arguments) == canonical(content)


TEXTS = [
    "a\0b", "\0", "\ud800", "x\udfffy", "\ud83d\ude00", "\U0010ffff\uffff\ufffe", "e\u0301 é",
    "שלום \u202eabc", " trailing  ", "\r\n\t", "'; DROP TABLE messages; --", "%s {0} ?",
    "\ufeffBOM",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_keeps_hostile_text_everywhere(store: ReferenceStore, text: str):
    """Hostile text survives exactly in every place that takes text."""
    message = Message(
        "user", text, name=text, call_id=text, id=text, metadata={text: text}, arguments=text,
        created_at_us=1,
    )  # fmt: skip
    assert store.create(text, owner=text, title=text, llm_model=text, metadata={text: [text]})
    receipt = store.append(text, [message])
    store.set_state(text, text, text)

    assert receipt.ids == (text,)
    assert store.read(text) == [message]
    assert store.list() == [text]
    info = store.get(text)
    assert (info.owner, info.title, info.llm_model, info.metadata) == (
        text, text, text, {text: [text]},
    )  # fmt: skip
    assert store.get_state(text, text) == text
    store.edit_message(text, text, replace(message, tokens=1))
    assert store.pop_last(text) == replace(message, tokens=1)


def test_keeps_ten_mebibytes(store: ReferenceStore):
    """A text of 10 MiB comes back equal."""
    text = "0123456789abcdé\U0001f600"[:16] * (10 * 2**16)
    store.append("s", say(text))
    assert store.read("s")[0].content == text


IDS = [
    "",
    " ",
    "a",
    "A",
    "á",
    "a\u0301",
    "../../x",
    "'\"`;",
    "😀",
    "x" * 10_240,
    "a\0",
    "a\0b",
    "%",
]


def test_session_ids_are_opaque(store: ReferenceStore):
    """Any two different ids are different sessions."""
    for session_id in IDS:
        store.append(session_id, say(session_id))
    assert sorted(store.list()) == sorted(IDS)
    assert [contents(store.read(session_id)) for session_id in IDS] == [[one] for one in IDS]


def test_append_answers_numbers_and_ids(store: ReferenceStore):
    """A receipt has the number and id of each message, in batch order."""
    first = store.append("s", say("a"))
    more = store.append("s", [*say("b"), Message("user", "c", id="mine")])
    ids = [message.id for message in store.read("s")]
    assert first.seqs == (1,)
    assert more.seqs == (2, 3)
    assert [*first.ids, *more.ids] == ids
    assert ids[2] == "mine"
    assert len(set(ids)) == 3


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_large_batches_keep_their_order(store: ReferenceStore, size: int):
    """A batch of any size is read in its order, with rising numbers."""
    texts = [str(number) for number in range(size)]
    assert store.append("new", say(*texts)).seqs == tuple(range(1, size + 1))
    assert store.append("new", say(*texts)).seqs == tuple(range(size + 1, 2 * size + 1))
    assert contents(store.read("new")) == texts + texts


def test_empty_batch_writes_nothing(store: ReferenceStore):
    """An empty batch answers an empty receipt and creates nothing."""
    assert store.append("s", []) == Receipt((), ())
    store.replace("s", [])
    assert store.list() == []


INVALID = [
    Message("robot", "x"),
    Message("User", "x"),
    Message("user", "x", kind="image"),
    Message("user", "x", tokens=-1),
    Message("user", "x", tokens=2**63),
    Message("user", "x", tokens=10**5000),
    Message("user", "x", duration_us=-1),
    Message("user", "x", created_at_us=-1),
    Message("user", "x", tokens=True),
    Message("user", "x", tokens=1.0),
    Message("user", "x", tokens="1"),
    Message("user", b"x"),
    Message("user", {1: 2}),
    Message("user", float("nan")),
    Message("user", [float("inf")]),
    Message("user", {"a": {1, 2}}),
    Message("user", "x", metadata=[1]),
    Message("user", "x", name=1),
    Message("user", "x", id=1),
    Message(1, "x"),
    "text",
    None,
    {"role": "user", "content": "x"},
]


@pytest.mark.parametrize("bad", INVALID)
def test_refuses_invalid_messages(store: ReferenceStore, bad):
    """An invalid message is refused with its whole batch, and nothing is written."""
    store.append("s", say("before"))
    before = store.get("s")
    for call in (
        lambda: store.append("s", [*say("a"), bad]),
        lambda: store.append("new", [bad]),
        lambda: store.create("new", messages=[bad]),
        lambda: store.replace("s", [bad]),
        lambda: store.edit_message("s", store.read("s")[0].id, bad),
    ):
        with pytest.raises(Refused) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert store.list() == ["s"]
    assert store.get("s") == before


@pytest.mark.parametrize("bad", [None, "text", 5, Message("user", "x"), b"x"])
def test_refuses_what_is_no_batch(store: ReferenceStore, bad):
    """An append takes a sequence of messages, and says so."""
    with pytest.raises(Refused, match="sequence of Message"):
        store.append("s", bad)


def test_refuses_session_ids_that_are_no_text(store: ReferenceStore):
    """A session id of another type is refused by every method."""
    for call in (store.read, store.get, store.count, store.delete, store.clear, store.pop_last):
        with pytest.raises(Refused, match="session_id must be a string"):
            call(7)
    with pytest.raises(Refused, match="session_id must be a string"):
        store.append(None, say("x"))


def test_refuses_bottomless_json(store: ReferenceStore):
    """JSON nested beyond what Python can walk is refused, and so are endless integers."""
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TooLarge):
        store.append("s", [Message("user", deep)])
    with pytest.raises(TooLarge):
        store.set_state("s", "k", deep)
    with pytest.raises(NotRepresentable):
        store.append("s", [Message("user", 10**5000)])
    assert store.list() == []


def test_totals_stay_within_integers(store: ReferenceStore):
    """A total that SQLite cannot keep as an integer is refused, and nothing is stored."""
    store.append("s", [Message("user", "x", tokens=2**63 - 1)])
    with pytest.raises(Refused):
        store.append("s", [Message("user", "x", tokens=1)])
    assert store.get("s").total_tokens == 2**63 - 1
    assert store.count("s") == 1


@pytest.mark.parametrize("status", ["paused", "archived", "expired"])
def test_ended_sessions_take_no_messages(store: ReferenceStore, set_status, status: str):
    """Paused, archived and expired sessions refuse messages and can be read."""
    store.append("s", say("a"))
    set_status("s", status)
    for call in (
        lambda: store.append("s", say("b")),
        lambda: store.append("s", say(*"b" * (CHUNK + 1))),
        lambda: store.replace("s", say("b")),
    ):
        with pytest.raises(Expired, match=status):
            call()
    assert contents(store.read("s")) == ["a"]
    assert store.get("s").status == status


def test_append_makes_an_idle_session_active(store: ReferenceStore, set_status):
    """An idle session takes messages and is active again."""
    store.append("s", say("a"))
    set_status("s", "idle")
    store.append("s", say("b"))
    assert store.get("s").status == "active"


def test_client_ids_are_unique_in_a_session(store: ReferenceStore):
    """An id that a message of the session has is a conflict; nothing of the batch is stored."""
    (given,) = store.append("s", say("a")).ids
    store.append("s", [Message("user", "b", id="mine")])
    tag = given.split(".")[0]
    for taken in ("mine", given, f"{tag}.4", f"{tag}.99"):
        with pytest.raises(Conflict):
            store.append("s", [Message("user", "c", id="free"), Message("user", "d", id=taken)])
    with pytest.raises(Conflict):
        store.append("s", [Message("user", "c", id="twice"), Message("user", "d", id="twice")])
    assert contents(store.read("s")) == ["a", "b"]
    store.append("other", [Message("user", "b", id="mine"), Message("user", "a", id=given)])
    assert [message.id for message in store.read("other")] == ["mine", given]


def test_a_history_can_be_replaced_by_a_part_of_itself(store: ReferenceStore):
    """Messages that were read can be put back, and keep the ids that the store gave them."""
    store.append("s", say("a", "b", "c"))
    kept = store.read("s")[1:]
    store.replace("s", kept)
    assert store.read("s") == kept
    assert store.append("s", say("d")).seqs == (6,)
    assert len({message.id for message in store.read("s")}) == 3


def test_a_failed_replace_leaves_the_old_history(store: ReferenceStore):
    """When the new history cannot be stored, the old one is there, with its counters."""
    store.append("s", [Message("user", "a", tokens=4)])
    before = (store.read("s"), store.get("s"))
    twice = [Message("user", "b", id="x"), Message("user", "c", id="x")]
    with pytest.raises(Conflict):
        store.replace("s", twice)
    assert (store.read("s"), store.get("s")) == before


def test_read_last(store: ReferenceStore):
    """The newest n messages, oldest first, for any n from 0."""
    store.append("s", say(*"abcd"))
    assert [contents(store.read_last("s", n)) for n in (0, 1, 3, 4, 5, 10**9)] == [
        [], ["d"], ["b", "c", "d"], [*"abcd"], [*"abcd"], [*"abcd"],
    ]  # fmt: skip
    for bad in (-1, 1.0, True, None, 2**63):
        with pytest.raises(Refused, match="n must be"):
            store.read_last("s", bad)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_pages_give_every_message_once(store: ReferenceStore, limit: int):
    """Following the cursor gives all messages once, in pages of at most the limit."""
    store.append("s", say(*"abcd"))
    cursor, pages = None, []
    while True:
        page = store.page("s", cursor=cursor, limit=limit)
        pages.append(contents(page.messages))
        cursor = page.next
        if cursor is None:
            break
    assert [text for page in pages for text in page] == [*"abcd"]
    assert all(0 < len(page) <= limit for page in pages)


def test_cursors_stay_good_while_messages_come_and_go(store: ReferenceStore):
    """A cursor goes on after its message, also when that one was deleted since."""
    store.append("s", say(*"abc"))
    page = store.page("s", limit=2)
    store.delete_message("s", page.messages[1].id)
    store.append("s", say("d"))
    assert contents(store.page("s", cursor=page.next, limit=9).messages) == ["c", "d"]
    store.delete("s")
    assert store.page("s", cursor=page.next) == Page([], None)
    store.append("s", say(*"wxyz"))
    with pytest.raises(Refused, match="was deleted"):
        store.page("s", cursor=page.next)


@pytest.mark.parametrize("cursor", ["", "x", "1", 1, "0" * 16 + ".", b"x"])
def test_refuses_cursors_that_no_page_gave(store: ReferenceStore, cursor):
    """A made-up cursor is refused."""
    with pytest.raises(Refused, match="cursor"):
        store.page("s", cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 1.5, None, True])
def test_refuses_pages_without_a_size(store: ReferenceStore, limit):
    """A page has at least one message."""
    with pytest.raises(Refused, match="limit must be"):
        store.page("s", limit=limit)


def test_pop_last(store: ReferenceStore):
    """The newest message is answered as it was read, and gone; None when there is none."""
    store.append("s", [Message("user", "a"), FULL])
    last = store.read("s")[-1]
    assert store.pop_last("s") == last == FULL
    assert store.pop_last("s").content == "a"
    assert store.pop_last("s") is None
    assert store.pop_last("unknown") is None
    assert store.list() == ["s"]


def test_numbers_are_never_given_again(store: ReferenceStore):
    """After the newest messages are removed, numbers go on."""
    store.append("s", say(*"abc"))
    store.pop_last("s")
    assert store.append("s", say("d")).seqs == (4,)
    store.delete_message("s", store.read("s")[-1].id)
    store.clear("s")
    assert store.append("s", say("e")).seqs == (5,)
    store.replace("s", say("f", "g"))
    assert store.append("s", say("h")).seqs == (8,)


def test_delete_message(store: ReferenceStore):
    """One message is removed by the id that a read showed; an unknown id is not found."""
    store.append("s", [Message("user", "a"), Message("user", "b", id="mine")])
    given = store.read("s")[0].id
    with pytest.raises(NotFound):
        store.delete_message("other", given)
    store.delete_message("s", given)
    store.delete_message("s", "mine")
    assert store.read("s") == []
    for gone in (given, "mine", "1", "", f"{given.split('.')[0]}.2"):
        with pytest.raises(NotFound):
            store.delete_message("s", gone)


def test_edit_message(store: ReferenceStore):
    """A message is exchanged in its place; it keeps its id unless the new one has its own."""
    store.append("s", [Message("user", "a", tokens=5), FULL])
    first, second = (message.id for message in store.read("s"))
    store.edit_message("s", first, Message("assistant", {"a": 1}, tokens=7, duration_us=2))
    store.edit_message("s", second, Message("user", "b", id="other", created_at_us=1))
    edited = store.read("s")
    assert [message.id for message in edited] == [first, "other"]
    assert edited[0].content == {"a": 1}
    assert edited[1] == Message("user", "b", id="other", created_at_us=1)
    assert (store.get("s").total_tokens, store.get("s").total_duration_us) == (7, 2)
    store.edit_message("s", first, replace(edited[0], content="again"))
    assert store.read("s")[0] == replace(edited[0], content="again")
    for taken in ("other", f"{first.split('.')[0]}.3"):
        with pytest.raises(Conflict):
            store.edit_message("s", first, Message("user", "x", id=taken))
    with pytest.raises(NotFound):
        store.edit_message("s", "mine", Message("user", "x"))


def test_unknown_sessions_are_empty_and_stay_unknown(store: ReferenceStore):
    """Reading an unknown session is empty, and creates nothing."""
    for _ in range(2):
        assert store.read("x") == []
        assert store.read_last("x", 3) == []
        assert store.page("x") == Page([], None)
        assert store.count("x") == 0
        assert store.get("x") is None
        assert store.get_state("x", "k") is None
    store.delete("x")
    store.clear("x")
    assert store.list() == []


def test_returned_lists_are_copies(store: ReferenceStore):
    """Changing what was returned or passed changes nothing stored."""
    content = {"a": [1]}
    store.append("s", [Message("user", content, metadata={"k": [1]})])
    content["a"].append(2)
    read = store.read("s")
    read[0].content["a"].append(3)
    read.clear()
    assert store.read("s")[0].content == {"a": [1]}


def test_order_is_append_order_whatever_the_clock_says(store: ReferenceStore, clock):
    """Messages stay in append order when time stands still or steps back."""
    store.append("s", say(*"abc"))
    clock.move(-86_400_000_000)
    store.append("s", say("d"))
    store.append("s", [Message("user", "e", created_at_us=0)])
    assert contents(store.read("s")) == [*"abcde"]
