"""A picture of files around a crash: lanes, marks that tell what was left, and the crash itself."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from sessionproof.svg.file_lanes import ROW, WORDS_CHARACTERS, Crash, Gap, Step, file_lanes, sample

HOSTILE = "</text></svg><script>alert(1)</script>\" onload='x"
WRITE = Step(number="7", lane="chat.db", kind="write", words="24 bytes at 0")
SYNC = Step(number="8", lane="chat.db", kind="sync", words="fsync")
ANSWER = Step(number="9", lane="client 1", kind="answer", words="append(#1)")


def parsed(*rows, lanes=("chat.db", "client 1")):
    return ET.fromstring(file_lanes(rows, lanes, label="what was done"))


def marks(root):
    """The groups of marks, from top to bottom."""
    return [one for one in root.iter("g") if one.get("class").startswith("mark")]


def start(mark):
    """Where the shape of a mark begins."""
    x, y = mark[0].get("d").removeprefix("M").split()[:2]
    return float(x), float(y)


def words(root, class_):
    return [one for one in root.iter("text") if (one.get("class") or "").startswith(class_)]


def test_each_step_is_a_mark_in_its_lane_with_its_words():
    """Marks of one file lie above each other, steps follow each other, words stand beside."""
    root = parsed(WRITE, WRITE, ANSWER)
    first, second, third = map(start, marks(root))
    assert first[0] == second[0] < third[0]
    assert second[1] - first[1] == ROW
    told = words(root, "step-words")
    assert [one.text for one in told] == ["24 bytes at 0", "24 bytes at 0", "append(#1)"]
    assert len({one.get("x") for one in told}) == 1
    assert [one.text for one in words(root, "step")][:3:2] == ["7", "7"]


def test_lanes_have_their_names_above_them():
    """Each name stands over its own lane, in a line of its own, so that none covers another."""
    root = parsed(WRITE, ANSWER)
    names = words(root, "lane-name")
    assert [one.text for one in names] == ["chat.db", "client 1"]
    assert float(names[0].get("y")) < float(names[1].get("y"))
    lines = [one for one in root.iter("line") if one.get("class") == "file-lane"]
    assert len({one.get("x1") for one in lines}) == 2
    for name, lane in zip(names, lines, strict=True):
        assert float(name.get("x")) < float(lane.get("x1"))
        assert float(name.get("y")) < float(lane.get("y1"))


@pytest.mark.parametrize("left", ["yes", "no", "torn", "after"])
def test_shapes_tell_what_was_left(left):
    """A cross for what is lost, a filled half for what is torn; not by colour alone."""
    (mark,) = marks(parsed(Step(number="1", lane="chat.db", kind="write", words="x", left=left)))
    classes = [one.get("class") for one in mark]
    assert classes == ["shape", *{"no": ["lost"], "torn": ["part"]}.get(left, [])]
    assert f"left-{left}" in mark.get("class").split()


def test_each_kind_has_a_shape_of_its_own():
    """The outlines of the five kinds differ, in the picture and in the legend."""
    kinds = ("write", "size", "name", "sync", "answer")
    outlines = {ET.fromstring(sample(kind))[0][0].get("d") for kind in kinds}
    assert len(outlines) == len(kinds)


def test_the_crash_is_a_line_between_steps():
    """It goes through all lanes, below what came before and above what came after."""
    later = Step(number="9", lane="client 1", kind="answer", words="append(#1)", left="after")
    root = parsed(WRITE, SYNC, Crash("crash after change 8"), later)
    (line,) = [one for one in root.iter("path") if one.get("class") == "crash-line"]
    heights = [float(part.split()[1]) for part in line.get("d").removeprefix("M").split("L")]
    assert start(marks(root)[1])[1] < min(heights)
    assert max(heights) < start(marks(root)[2])[1] + 5
    (said,) = words(root, "crash-words")
    assert said.text == "crash after change 8"
    lanes = [one for one in root.iter("line") if one.get("class") == "file-lane later"]
    assert {float(one.get("y1")) for one in lanes} == {sum(heights[:2]) / 2}


def test_what_is_left_out_is_told():
    """A gap takes a row and says how many steps are not drawn."""
    root = parsed(WRITE, Gap("… 12 more"), SYNC)
    assert [one.text for one in words(root, "gap-words")] == ["… 12 more"]
    first, second = map(start, marks(root))
    assert second[1] - first[1] > ROW


def test_words_stay_in_the_picture():
    """Long names and words are cut, and what is left ends within the width."""
    long = Step(number="12,345", lane="a/" * 60, kind="write", words="w" * 200)
    root = parsed(long, lanes=("a/" * 60,))
    for one in root.iter("text"):
        assert float(one.get("x")) + len(one.text) * 6.65 <= float(root.get("width")) + 0.1
    assert len(words(root, "step-words")[0].text) == WORDS_CHARACTERS
    assert words(root, "lane-name")[0].text.startswith("…")


def test_a_picture_of_nothing_is_a_picture():
    """Without steps and lanes there is an empty drawing, and no error."""
    assert parsed(lanes=()).tag == "svg"


def test_hostile_names_are_text():
    """Lanes, numbers and words make no element."""
    step = Step(number=HOSTILE, lane=HOSTILE, kind="name", words=HOSTILE, left="torn")
    root = parsed(step, Gap(HOSTILE), Crash(HOSTILE), lanes=(HOSTILE,))
    assert {one.tag for one in root.iter()} <= {"svg", "g", "path", "rect", "line", "text"}
