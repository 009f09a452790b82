"""A map of pages: cells in rows, each told by letter, filling and class."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from sessionproof.svg.page_map import ACROSS, SIZE, Cell, page_map, rows_of, sample

HOSTILE = "</text></svg><script>alert(1)</script>\" onload='x"


def drawn(cells, first=None):
    first = [str(row) for row in range(rows_of(len(cells)))] if first is None else first
    return ET.fromstring(page_map(cells, first=first, label="pages"))


def boxes(root):
    """Left and top of each cell."""
    tried = [one for one in root.iter("rect") if one.get("class") == "ground"]
    (untried,) = [one.get("d") for one in root.iter("path")] or [""]
    found = [tuple(map(float, one.split("h")[0].split())) for one in untried.split("M")[1:]]
    return [(float(one.get("x")), float(one.get("y"))) for one in tried] + found


def test_cells_fill_rows_from_left_to_right():
    """The cell after the last of a row stands below the first, and all lie in the picture."""
    root = drawn([Cell(class_="found", letter="F")] * (2 * ACROSS + 3))
    at = boxes(root)
    assert len(at) == 2 * ACROSS + 3
    assert at[ACROSS][0] == at[0][0]
    assert at[ACROSS][1] == at[0][1] + SIZE
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(x + SIZE <= width and y + SIZE <= height for x, y in at)


def test_it_fits_a_narrow_screen():
    """With names of rows of seven digits it is at most 380 pixels wide."""
    assert float(drawn([Cell()] * 400, ["1,000"] * 20).get("width")) <= 352
    assert float(drawn([Cell()] * 400, ["9,999,999"] * 20).get("width")) <= 380


def test_a_cell_says_its_outcome_without_colour():
    """A letter, a class and a title; a cell where nothing was tried has none of them."""
    root = drawn([Cell(class_="served", letter="S", title="page 1"), Cell()])
    (group,) = root.iter("g")
    assert group.get("class") == "page served"
    assert [one.text for one in group.iter("text")] == ["S"]
    assert [one.text for one in root.iter("title")] == ["page 1"]
    assert len(boxes(root)) == 2


def test_no_pages_are_an_empty_picture():
    """Nothing to draw is no error."""
    assert boxes(drawn([])) == []


def test_texts_are_escaped():
    """No text can end its element."""
    root = drawn([Cell(class_="found", letter=HOSTILE, title=HOSTILE)], [HOSTILE])
    assert [one.tag for one in root.iter()].count("script") == 0
    assert {one.text for one in root.iter("text")} == {HOSTILE}


def test_a_sample_is_one_cell():
    """The legend shows a cell as the map does."""
    assert len(boxes(ET.fromstring(sample("found", "F")))) == 1
    assert len(boxes(ET.fromstring(sample("", "")))) == 1
