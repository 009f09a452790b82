"""Two versions of a store compared from outside: rows, what is left out, and stores that fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionproof.bench.tracking.compared import Side
from sessionproof.engine import comparing
from sessionproof.engine.comparing import EFFORTS, Effort, compared
from sessionproof.engine.plan import BadUsage

STORES = str(Path(__file__).parents[1] / "bench")
QUICK = Effort(2, 20)  # twice as many pairs are the fewest that make an interval
SURE = Effort(4, 60)


def side(name, path=STORES):
    """A version whose store is one of ``arm_stores``."""
    return Side(asked=name, store=f"arm_stores:{name}", path=(path,))


def told(base, head, *only, effort=QUICK):
    """The comparison of two of these stores."""
    return compared(side(base), side(head), profile="smoke", seed=3, only=only, effort=effort)


@pytest.mark.night
def test_versions_of_one_name_are_told_apart(tmp_path):
    """Each side finds its own module of the same name, and what was measured is kept."""
    text = Path(STORES, "arm_stores.py").read_text("utf-8")
    (tmp_path / "arm_stores.py").write_text(text.replace('"1.5"', '"1.6"'), "utf-8")
    steps = []
    found = compared(
        side("Plain"), side("Plain", str(tmp_path)), profile="smoke", seed=3, only=("append",),
        effort=QUICK, location=tmp_path, follow=lambda *step: steps.append(step),
    )  # fmt: skip
    assert (found.base.version, found.head.version) == ("1.5", "1.6")
    assert (found.problem, found.warning) == ("", "")
    (row,) = found.rows
    assert len(row.pairs) == 4
    assert found.machine["python"]
    assert found.seconds > 0
    assert steps[-1] == (len(row.pairs), len(row.pairs), "append")
    assert [one.name for one in tmp_path.iterdir() if one.is_dir()] in ([], ["__pycache__"])


@pytest.mark.night  # a comparison that is quick is what others here make, too
def test_one_file_on_both_sides_is_said():
    """Where a side has not what was to be compared, both find the same module elsewhere."""
    found = told("Plain", "Plain", "append")
    assert found.warning.startswith("both sides found arm_stores:Plain in ")
    assert "arm_stores.py" in found.warning
    alike = [Side(asked="installed", store="reference")] * 2
    assert compared(*alike, seed=1, only=("append",), effort=QUICK).warning == ""


@pytest.mark.night
def test_what_is_slow_is_slower_and_the_other_way_faster():
    """An operation that takes many times as long, seen from both sides."""
    assert told("Plain", "Slow", "append", effort=SURE).named("slower") == ("append",)
    assert told("Slow", "Plain", "append", effort=SURE).named("faster") == ("append",)


@pytest.mark.night
@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("CountDies", "head: the store's process ended (exit code 3) in the middle of ready count"),
        ("CountFails", "head: RuntimeError: no more counting"),
    ],
)
def test_an_operation_that_fails_is_not_told(head, words):
    """It says why; the other operations have all their pairs."""
    found = told("Counts", head, "append", "count")
    append, count = found.rows
    assert (count.verdict, count.warning) == ("undecided", "")
    assert count.reason.startswith(words)
    assert len(append.pairs) == 4
    assert all(len(one.head) >= 8 for one in append.pairs)


@pytest.mark.night
def test_an_operation_of_one_side_is_left_out():
    """It is named with the side that has it, and so are other claims; alone it is a mistake."""
    found = told("Plain", "Durable", "append", "count", "page")
    assert found.left_out == {"count": "head alone has it", "page": "neither has it"}
    words = "head claims durability power instead of none: what differs may be the price"
    assert found.warning.endswith(words)
    with pytest.raises(BadUsage, match="base and head do not both have count"):
        told("Counts", "Plain", "count")


@pytest.mark.parametrize(
    ("base", "head", "words"),
    [
        ("NeverOpens", "Plain", "base NeverOpens: .*the disk is upside down"),
        ("Plain", "Exits", "head Exits: .* ended with exit code 0"),
        ("Plain", "TakesNothing", "head: ValueError: no"),
        ("Plain", "Nobody", "head Nobody: module 'arm_stores' has no attribute 'Nobody'"),
    ],
)
def test_a_side_that_cannot_be_measured_is_named(base, head, words):
    """In one line, before anything is compared."""
    with pytest.raises(BadUsage, match=words) as caught:
        told(base, head, "append")
    assert "\n" not in str(caught.value)


def test_an_interruption_keeps_the_pairs_before(monkeypatch):
    """After the first pair: its rows are there, undecided, and the comparison says so."""
    measured, calls = comparing.measured_pair, []

    def interrupted(*given, **named):
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(given)
        return measured(*given, **named)

    monkeypatch.setattr(comparing, "measured_pair", interrupted)
    found = told("Plain", "Plain", "append")
    assert (found.interrupted, found.problem) == (True, comparing.INTERRUPTED)
    assert [len(row.pairs) for row in found.rows] == [1]
    assert found.rows[0].verdict == "undecided"


def test_the_efforts_are_those_of_the_profiles():
    """A deeper profile has more pairs and more rounds, and the least has enough for an interval."""
    smoke, gate, deep = (EFFORTS[name] for name in ("smoke", "gate", "deep"))
    assert 4 <= smoke.pairs < gate.pairs < deep.pairs
    assert 8 <= smoke.rounds < gate.rounds <= deep.rounds
