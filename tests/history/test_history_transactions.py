"""Transactions as lines: what is none is told with its line."""

import json

import pytest

from sessionproof.history.transactions import Step, Transaction, from_lines, to_lines

GOOD = {"client": 0, "inv": 1, "ret": 5, "type": "ok", "steps": [["append", "a", [1]]]}


def test_lines_are_read_as_they_were_written():
    """Unknown outcomes, reads without an answer, and final reads are among them."""
    made = (
        Transaction(0, 1, 5, "ok", (Step("append", "a", (1, 2)), Step("read", "b", ()))),
        Transaction(1, 2, None, "info", (Step("read", "b", None), Step("append", "b", (3,)))),
        Transaction(9, 7, 7, "ok", (Step("read", "a", (1, 2)),), final=True),
    )
    assert from_lines(to_lines(made)) == made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "okk"}, "'okk', not ok, fail or info"),
        ({"type": ["ok"]}, "not ok, fail or info"),
        ({"ret": None}, "begins at 1 and ends at None"),
        ({"ret": 0}, "begins at 1 and ends at 0"),
        ({"ret": "5", "type": "info"}, "ends at 5"),
        ({"client": "0"}, "whole numbers"),
        ({"inv": 1.5}, "whole numbers"),
        ({"steps": [["append", "a", ["x"]]]}, "whole numbers"),
        ({"steps": [["append", "a", None]]}, "an append has ids"),
        ({"steps": [["delete", "a", []]]}, "no append or read"),
        ({"steps": [["read", 7, []]]}, "no append or read"),
        ({"steps": [["read"]]}, "line 2"),
        ({"steps": 7}, "line 2"),
    ],
)
def test_what_is_no_transaction_is_told_with_its_line(change, said):
    """Whoever judges or exports a history need not look at its types again."""
    lines = f"{json.dumps(GOOD)}\n{json.dumps({**GOOD, **change})}\n"
    with pytest.raises(ValueError, match=r"^line 2 is no transaction: ") as error:
        from_lines(lines)
    assert said in str(error.value)
