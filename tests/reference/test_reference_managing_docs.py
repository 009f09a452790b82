"""The page about session managers says what is true."""

from __future__ import annotations

import re
from dataclasses import fields
from inspect import Parameter
from pathlib import Path

from sessionproof.contract.managing import CALLS, METRICS, ManagedSession
from sessionproof.reference import ReferenceStore
from sessionproof.reference.managing import Store
from sessionproof.reference.managing.settings import CLEANUP_US, STEPS, TIMEOUT_US, Settings

PAGE = Path(__file__).parents[2] / "docs" / "session-manager.md"
TEXT = PAGE.read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in TEXT.splitlines()
    if line.startswith("| `")
]


def test_every_call_is_there_with_its_arguments():
    """The table of calls has the contract's names and arguments, in its order."""
    rows = [row for row in ROWS if row[0].strip("`") in CALLS]
    assert [row[0].strip("`") for row in rows] == list(CALLS)
    for name, arguments, _ in rows:
        parameters = [
            one for one in CALLS[name.strip("`")].parameters.values() if one.name != "self"
        ]
        named = re.findall(r"`(\w+)`(: null)?", arguments)
        assert [one for one, _ in named] == [one.name for one in parameters], name
        assert [bool(null) for _, null in named] == [
            one.default is not Parameter.empty for one in parameters
        ], name


def test_every_field_and_number_is_there():
    """A session's keys, and those of the metrics, are named."""
    there = {one for row in ROWS for one in re.findall(r"`(\w+)`", row[0])}
    assert {item.name for item in fields(ManagedSession)} <= there
    metrics = next(row for row in ROWS if row[0] == "`get_metrics`")
    assert tuple(re.findall(r"`(\w+)`", metrics[2])) == METRICS


def test_the_times_are_as_documented():
    """Half an hour, ten minutes, a thirtieth, which is a minute."""
    minute = 60_000_000
    assert (30 * minute, 10 * minute, 30) == (TIMEOUT_US, CLEANUP_US, STEPS)
    assert Settings().step_us == minute
    for words in ("half an hour, if nothing else", "every ten minutes", "a thirtieth of"):
        assert words in TEXT


def test_the_costs_are_as_documented():
    """The table of costs has what the store claims."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TEXT.splitlines()]
    names = next(row[1:] for row in lines if row[:2] == ["", "generate_session_id"])
    most = next(row[1:] for row in lines if row[:1] == ["claimed"])
    own = dict(zip(names, map(int, most), strict=True))
    assert {**ReferenceStore.claims.costs, **own} == Store.claims.costs
    assert set(own) == Store.claims.costs.keys() - ReferenceStore.claims.costs.keys()
