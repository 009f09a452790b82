"""A run with several seeds: one verdict a guarantee, and which seeds say it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

import sessionproof
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.report.result import RunResult, concluded, first_seeds, merge, to_json

SCHEMA = Path(sessionproof.__file__).parent / "report" / "result.schema.json"
ROW = "CORE-01"


def record(seed, verdict=Verdict.HOLDS, *anomalies, **others):
    findings = tuple(
        Finding(anomaly=one, did="did", expected="expected", seen=f"seen with {seed}")
        for one in anomalies
    )
    return Record(
        **{
            "guarantee": ROW, "test": f"test_it[seed {seed}]", "verdict": verdict,
            "examined": 60, "duration_s": 1.0, "seed": seed, "findings": findings, **others,
        }
    )  # fmt: skip


def row_of(*records):
    """The row that is made of these records."""
    return next(one for one in merge(records, [ROW]) if one.id == ROW)


def test_a_break_of_one_seed_is_a_break():
    """It is told with which seeds; of equal anomalies the one of the lowest seed is a finding."""
    lost, order = Anomaly.LOST_MESSAGE, Anomaly.DUPLICATE
    row = row_of(
        record(10),
        record(11, Verdict.BROKEN, lost, order),
        record(9, Verdict.BROKEN, lost),
        record(8, Verdict.UNKNOWN, reason="slow"),
    )
    assert (row.verdict, row.reason) == (Verdict.BROKEN, "")
    assert row.seeds == {"broken": (9, 11), "unknown": (8,), "holds": (10,)}
    assert row.notes == ("broken with 2 of 4 seeds: 9, 11",)
    assert [(one.anomaly, one.seen) for one in row.findings] == [
        (lost, "seen with 9"),
        (order, "seen with 11"),
    ]
    assert (row.examined, row.duration_s) == (240, 4.0)


def test_all_seeds_may_say_the_same():
    """A break of each seed says so; where all hold there is nothing to say beside the seeds."""
    assert row_of(record(1, Verdict.BROKEN), record(2, Verdict.BROKEN)).notes == (
        "broken with each of 2 seeds",
    )
    row = row_of(record(1), record(2, notes=("three rounds",)))
    assert (row.verdict, row.seeds) == (Verdict.HOLDS, {"holds": (1, 2)})
    assert row.notes == ("three rounds",)


def test_each_seed_must_have_its_evidence():
    """Evidence of other seeds does not help one that has too little."""
    row = row_of(record(1, examined=500), record(2, examined=3))
    assert row.verdict is Verdict.UNKNOWN
    assert row.reason.startswith("too little evidence: 3 messages of at least 50")
    assert row.notes == ("could not tell with 1 of 2 seeds: 2",)


def test_tests_of_a_seed_go_together():
    """A guarantee with two tests is broken with a seed by either."""
    row = row_of(
        record(1),
        record(1, Verdict.BROKEN, test="test_other[seed 1]"),
        record(2),
        record(2, test="test_other[seed 2]"),
    )
    assert row.seeds == {"broken": (1,), "holds": (2,)}


def test_what_was_seen_broken_and_is_not_claimed_never_counts_as_holding():
    """A row that decides nothing is not claimed as soon as one seed shows a break of it."""
    seen = record(2, Verdict.HOLDS, Anomaly.LOST_MESSAGE, gated=False)
    row = row_of(record(1, gated=False), seen)
    assert (row.verdict, row.seeds) == (Verdict.NOT_CLAIMED, {"not claimed": (2,), "holds": (1,)})


def test_one_seed_is_as_ever():
    """Without several seeds nothing is said of them; so where a run was ended after one."""
    for one in (record(None), record(7)):
        row = row_of(one)
        assert (row.seeds, row.notes) == ({}, ())


def test_the_lowest_seed_shows_it():
    """By guarantee and anomaly; records without a seed have none."""
    lost = Anomaly.LOST_MESSAGE
    records = [record(5, Verdict.BROKEN, lost), record(4, Verdict.BROKEN, lost), record(None)]
    assert first_seeds(records) == {(ROW, lost): 4}


@pytest.mark.parametrize(("seeds", "shown"), [(1, "7"), (20, "7 to 26")])
def test_the_result_has_its_seeds(seeds, shown):
    """In words for people, and as the schema says for programs."""
    rows = merge([record(7), record(8)], [ROW])
    result = concluded(
        RunResult(
            store="s", store_version=None, profile="gate", seed=7, guarantees=rows,
            sessionproof="0", claims={}, seeds=seeds,
        )
    )  # fmt: skip
    assert result.seeds_shown == shown
    value = json.loads(json.dumps(to_json(replace(result, started_at="now"))))
    jsonschema.validate(value, json.loads(SCHEMA.read_text("utf-8")))
    assert value["seeds"] == seeds
