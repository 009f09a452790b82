"""Two lists of messages compared: each anomaly has its name, and long lists cost their length."""

from collections import Counter
from dataclasses import replace

import pytest
from transcripts import message

from sessionproof.checks import messages as messages_module
from sessionproof.checks.messages import Elsewhere, briefly, compare
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message

KEEPS = frozenset({"role", "content"})


def those(words):
    """A message a word."""
    return [message(word) for word in words.split()]


@pytest.mark.parametrize(
    ("expected", "seen", "elsewhere", "anomaly"),
    [
        ("a b", "a b", {}, None),
        ("", "", {}, None),
        ("a b c", "a c", {}, Anomaly.LOST_MESSAGE),
        ("a a", "a", {}, Anomaly.LOST_MESSAGE),
        ("a", "", {}, Anomaly.LOST_MESSAGE),
        ("a b", "a b b", {}, Anomaly.DUPLICATE),
        ("a b", "a b a b", {}, Anomaly.DUPLICATE),
        ("a b c", "a c b", {}, Anomaly.REORDER),
        ("a b", "b a", {"batches": ["a b"]}, Anomaly.REORDER),
        ("a", "a x", {}, Anomaly.PHANTOM),
        ("", "x", {"others": "y", "deleted": "z"}, Anomaly.PHANTOM),
        ("a", "a x", {"others": "x y"}, Anomaly.LEAK),
        ("a", "x", {"others": "x"}, Anomaly.LEAK),
        ("a", "a x", {"deleted": "x"}, Anomaly.RESURRECTION),
        ("a", "a x", {"refused": "x"}, Anomaly.ABORTED_READ),
        ("a", "a x y", {"refused": "x"}, Anomaly.PHANTOM),
        ("a b", "a B", {}, Anomaly.CHANGED),
        ("a b", "a b:assistant", {}, Anomaly.CHANGED),
        ("a b c d", "a b c", {"batches": ["a", "b c d"]}, Anomaly.TORN_BATCH),
        ("a b c d", "a", {"batches": ["a", "b c d"]}, Anomaly.LOST_MESSAGE),
    ],
)
def test_each_anomaly_has_its_name(expected, seen, elsewhere, anomaly):
    """What is missing, too much, moved or changed is called by the field's word for it."""
    batches = [those(batch) for batch in elsewhere.get("batches", [])]
    others = {name: those(words) for name, words in elsewhere.items() if name != "batches"}
    found = compare(those(expected), those(seen), KEEPS, Elsewhere(**others, batches=batches))
    assert (found.anomaly if found else None) is anomaly


NONE, EMPTY = Message("user", "a"), Message("user", "a", metadata={})


@pytest.mark.parametrize(
    ("expected", "seen", "change"),
    [
        ([NONE], [EMPTY], "metadata: None became {}"),
        ([NONE, EMPTY, NONE], [EMPTY, EMPTY, EMPTY], ""),  # it may be the other message
        (
            [NONE, Message("user", "b")],
            [EMPTY, Message("user", "b", metadata={})],
            "metadata: None became {}",
        ),
        ([NONE], [Message("assistant", "a", metadata={})], ""),
        ([NONE, Message("user", "b")], [EMPTY, Message("user", "b", metadata={"x": 1})], ""),
        (those("a b"), those("a B"), "content: 'b' became 'B'"),
        (those("a b"), those("a a"), ""),
        (those("a b"), those("b a"), ""),
        (those("a b"), those("a"), ""),
        (those("a"), those("a a"), ""),
        (those("a" * 90), those("b" * 89), f"content: '{'a' * 90}' became '{'b' * 89}'"),
        (those("a" * 90), those("b" * 90), ""),  # too long for the name of a cause
    ],
)
def test_one_change_of_one_field_is_named(expected, seen, change):
    """Where all that differs does so in the same way, that is said; else nothing is."""
    found = compare(expected, seen, KEEPS | {"metadata"})
    assert found.change == change
    assert not change or found.seen.endswith(change)


def test_the_first_difference_can_be_told_alone():
    """A short account leaves the messages out, and keeps what did not name a difference."""
    found = compare(those("a b c"), those("a B"), KEEPS)
    told = "at message 2, content: 'b' became 'B'; 2 messages missing; 1 message too many"
    assert briefly(found.seen) == told
    assert briefly("it raised KeyError: x") == "it raised KeyError: x"
    twice = "a; first difference at b; first difference at c"
    assert briefly(twice) == "at b; first difference at c"


def test_what_the_store_does_not_keep_is_not_compared():
    """A field outside of ``keeps`` may be anything."""
    sent, read = Message("user", "a", tokens=3), Message("user", "a", name="x")
    assert compare([sent], [read], KEEPS) is None
    assert compare([sent], [read], KEEPS | {"tokens"}).anomaly is Anomaly.CHANGED


def test_an_id_that_was_given_must_come_back():
    """Ids and times are the store's, unless the client gave them."""
    keeps = KEEPS | {"id", "created_at_us"}
    sent = Message("user", "a")
    assert compare([sent], [replace(sent, id="m1", created_at_us=3)], keeps) is None
    found = compare([replace(sent, id="mine")], [replace(sent, id="m1")], keeps)
    assert found.anomaly is Anomaly.CHANGED
    assert "'mine' became 'm1'" in found.seen
    turned = [Message("user", "b", id="m1"), Message("user", "a", id="m2")]
    assert compare(those("a b"), turned, keeps).anomaly is Anomaly.REORDER


def test_a_difference_is_told_in_words():
    """The first difference is shown with its place and its field; long lists are cut."""
    expected = those(" ".join(f"m{n}" for n in range(50)))
    seen = [*expected[:30], message("other"), *expected[31:]]
    found = compare(expected, seen, KEEPS)
    assert "first difference at message 31, content: 'm30' became 'other'" in found.seen
    assert found.expected.startswith("50 messages: 1: Message('user', 'm0')")
    assert len(found.expected) < 400
    assert "2 missing" in compare(those("a b c"), those("a"), KEEPS).seen.replace("messages ", "")


def test_unprintable_and_huge_texts_are_shown_safely():
    """What is shown of a text is printable and short, whatever it holds."""
    found = compare([Message("user", "\x1b[31m" + "x" * 10**6)], [Message("user", "\ud800")], KEEPS)
    assert found.seen.isprintable()
    assert len(found.seen) + len(found.expected) < 2_000


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("ä", "'ä' became"),
        ("ä\x1b", r"'\xe4\x1b' became"),
        ("x" * 158, f"'{'x' * 158}' became"),
        ("x" * 159, f"'{'x' * 99} … 161 characters … {'x' * 39}' became"),
    ],
)
def test_a_text_is_shown_as_it_is_where_it_can_be(sent, shown):
    """Of a text that is not printable every letter is shown in ASCII; a long one is cut."""
    assert shown in compare([Message("user", sent)], [Message("user", "y")], KEEPS).seen


@pytest.mark.parametrize("change", ["lost", "doubled", "reversed", "changed", "none"])
def test_the_comparison_is_linear(monkeypatch, change):
    """Ten times the messages take ten times the looks at a message, and no more."""
    looks = Counter()
    for name in ("differing", "_key"):
        counted = getattr(messages_module, name)

        def look(*arguments, counted=counted):
            looks["all"] += 1
            return counted(*arguments)

        monkeypatch.setattr(messages_module, name, look)

    def cost(length):
        looks.clear()
        sent = [Message("user", f"m{n}") for n in range(length)]
        half = length // 2
        seen = {
            "lost": [*sent[:half], *sent[half + 1 :]],
            "doubled": [*sent[:half], *sent[half - 1 :]],
            "reversed": sent[::-1],
            "changed": [*sent[:half], Message("user", "x"), *sent[half + 1 :]],
            "none": list(sent),
        }[change]
        batches = [sent[at : at + 4] for at in range(0, length, 4)]
        compare(
            sent, seen, KEEPS, Elsewhere(others=sent, deleted=sent, refused=[], batches=batches)
        )
        return looks["all"]

    small, large = cost(200), cost(2_000)
    assert 200 <= small <= large <= 11 * small
