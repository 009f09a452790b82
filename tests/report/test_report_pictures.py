"""The picture of a finding marks what is missing, too many, changed or moved, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from report_samples import HOSTILE, LOST

from sessionproof.contract.verdicts import Step
from sessionproof.report.pictures import STEPS_MAX, concerned, steps_picture
from sessionproof.report.plain import shown


def drawn(*steps, lines=None):
    """The picture of these steps, parsed."""
    program = tuple(f"line {n}" for n in range(len(steps) if lines is None else lines))
    return ET.fromstring(steps_picture(replace(LOST, program=program, steps=steps)))


def marked(root):
    """The labels of chips by how they look, in order."""
    return [
        (one.get("class"), one.text)
        for one in root.iter("text")
        if (one.get("class") or "").startswith("chip ")
    ]


APPEND = Step(call="append", session="s0", sent=("#0", "#1", "#2"))
READ = Step(call="read", session="s0", got=("#0", "#1", "#2"))


def test_a_missing_message_is_marked_where_it_was_sent_and_where_it_lacks():
    """The lost message is marked in its append and in what should have been answered."""
    root = drawn(APPEND, replace(READ, got=("#0", "#2"), want=("#0", "#1", "#2")))
    assert marked(root) == [("chip concerned", "#1"), ("chip missing", "#1")]


def test_a_message_too_many_is_marked_once():
    """Of a message that is answered twice the second is marked, and nothing is missing."""
    root = drawn(APPEND, replace(READ, got=("#0", "#1", "#0"), want=("#0", "#1")))
    assert marked(root) == [("chip concerned", "#0"), ("chip wrong", "#0")]


def test_a_moved_message_is_marked_at_its_place():
    """Where only the order differs, the places that differ are marked."""
    root = drawn(APPEND, replace(READ, got=("#0", "#2", "#1"), want=("#0", "#1", "#2")))
    assert marked(root)[-2:] == [("chip wrong", "#2"), ("chip wrong", "#1")]


def test_a_changed_message_is_marked_on_both_sides():
    """A message that came back changed is wrong in the answer, and was concerned when sent."""
    step = replace(READ, got=("#0", "#1 changed"), want=("#0", "#1"))
    assert marked(drawn(APPEND, step)) == [
        ("chip concerned", "#1"), ("chip missing", "#1"), ("chip wrong", "#1 changed"),
    ]  # fmt: skip
    assert concerned(step) == {"#1"}


@pytest.mark.parametrize("want", [None, ("#0", "#1", "#2")])
def test_without_a_difference_no_message_is_marked(want):
    """An operation that went wrong in another way is red itself, and its messages are not."""
    root = drawn(APPEND, replace(READ, want=want))
    assert marked(root) == []
    assert [one.get("class") for one in root.iter("rect")][4] == "event faulty"


def test_a_leak_has_an_arrow():
    """An arrow leads from where the message was sent to the other session that answered it."""
    other = Step(call="read", session="s1", got=("#1",), want=())
    assert len(list(drawn(APPEND, other).iter("path"))) == 1
    assert not list(drawn(APPEND, replace(READ, got=(), want=("#0",))).iter("path"))


def test_lines_have_the_numbers_of_the_program():
    """Where the program begins with names of sessions, the steps are numbered after them."""
    numbers = [one.text for one in drawn(APPEND, READ, lines=4).iter("text")
               if one.get("class") == "step"]  # fmt: skip
    assert numbers == ["3", "4"]


@pytest.mark.parametrize("number", [1, 2, STEPS_MAX, STEPS_MAX + 1, 300])
def test_a_long_program_is_shortened(number):
    """At most so many steps are drawn, the last always, and the others are counted."""
    root = drawn(*[APPEND] * (number - 1), READ)
    boxes = [one for one in root.iter("rect") if (one.get("class") or "").startswith("event")]
    assert len(boxes) == min(number, STEPS_MAX + 1)
    assert boxes[-1].get("class") == "event faulty"
    titles = [one.text for one in root.iter("text") if one.get("class") == "title"]
    left_out = [one for one in titles if "left out" in one]
    assert left_out == ([f"… {number - STEPS_MAX} operations left out …"] if number > 16 else [])


def test_an_arrow_survives_what_is_left_out():
    """Steps that are left out do not move the arrow to another operation."""
    steps = [replace(APPEND, session="s1", sent=("#9",)), *[APPEND] * 40]
    last = replace(READ, got=("#9",), want=())
    (path,) = drawn(*steps, last).iter("path")
    first = float(path.get("d").split()[1])
    assert first < 60  # the height of the first box


def test_many_messages_are_counted_and_the_wrong_ones_stay():
    """Of a long list the runs of one kind are counted, and what is missing is still shown."""
    many = tuple(f"#{n}" for n in range(150))
    root = drawn(replace(APPEND, sent=many), replace(READ, got=many[:100], want=many))
    labels = [one.text for one in root.iter("text")]
    assert "98 more" in labels
    assert ("chip missing", "48 more") in marked(root)
    assert ("chip missing", "#149") in marked(root)
    assert float(root.get("height")) < 500


def test_a_refusal_is_told():
    """What was refused and what ended open say so in their boxes."""
    steps = (
        replace(APPEND, outcome="fail", said="NotFound"),
        Step(call="close"),
        Step(call="count", session="s0", said="5"),
        replace(READ, outcome="info", said="hang", got=None),
    )
    titles = [one.text for one in drawn(*steps).iter("text") if one.get("class") == "title"]
    assert titles == [
        "append refused: NotFound", "close, open again", "count → 5", "read, open end: hang",
    ]  # fmt: skip


def test_no_steps_no_picture():
    """A finding whose steps were not recorded has none."""
    assert steps_picture(replace(LOST, steps=())) is None


def test_hostile_texts_are_text():
    """Sessions, calls, labels and answers of a store make no element, and are visible."""
    step = Step(call=HOSTILE, session=HOSTILE, outcome="fail", sent=(HOSTILE,), said=HOSTILE)
    last = Step(call=HOSTILE, session=HOSTILE * 2, got=(HOSTILE,), want=(HOSTILE * 2,))
    root = drawn(step, step, last)
    assert {one.tag for one in root.iter()} == {"svg", "rect", "text", "line", "path"}
    assert all(one.isprintable() for one in "".join(root.itertext()))
    assert shown(HOSTILE)[:12] in "".join(root.itertext())
