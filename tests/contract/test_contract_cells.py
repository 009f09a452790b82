"""Values as cells of CSV: each comes back as it was, and none is a formula or breaks a file."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessionproof.contract.cells import (
    MOST,
    NULL,
    from_cell,
    integer_from_cell,
    long_cells,
    to_cell,
)

TEXTS = st.text(st.characters(codec=None), max_size=20)


@given(st.none() | TEXTS)
@example("\\N")
@example("\ud800")
@example("=1+1")
@example("a\r\nb")
@example("\0")
def test_a_text_comes_back_through_a_file(value):
    """NULL, an empty text and any other text stay apart, in a file of UTF-8."""
    file = io.StringIO(newline="")
    csv.writer(file).writerow([to_cell(value), "end"])
    raw = file.getvalue().encode()
    (row,) = csv.reader(io.StringIO(raw.decode(), newline=""))
    assert [from_cell(row[0]), row[1]] == [value, "end"]


@given(TEXTS)
def test_no_cell_is_run_by_a_spreadsheet(text):
    """What would begin a formula does not stand first."""
    assert to_cell(text)[:1] not in set("=+-@\t\r\n＝＋－＠")


@given(st.none() | st.integers(-MOST, MOST))
def test_an_integer_comes_back(value):
    """Every integer that a database keeps, and NULL."""
    assert integer_from_cell(to_cell(value)) == value


@pytest.mark.parametrize("cell", ["", "1.5", " 1", "1e3", "９", str(MOST + 1), "x" * 100])
def test_what_is_no_integer_is_refused(cell):
    """The error names the cell, the beginning of it."""
    with pytest.raises(ValueError, match="is no integer") as caught:
        integer_from_cell(cell)
    assert len(str(caught.value)) < 80


@pytest.mark.parametrize("cell", ["\\", "\\n", "\\3", "\\[]", '\\"open'])
def test_a_backslash_with_something_else_is_refused(cell):
    """Behind a backslash stands N, or a text as JSON."""
    with pytest.raises(ValueError):
        from_cell(cell)


def test_long_cells_are_read_while_they_are_wanted():
    """The limit of the process is what it was when the last reader has ended."""
    before = csv.field_size_limit()
    with long_cells():
        with long_cells():
            pass
        assert csv.field_size_limit() > before
        assert list(csv.reader(["x" * (before + 1)]))
    assert csv.field_size_limit() == before
    assert to_cell(None) == NULL
