"""The table of our own stores: its data is of real runs, and whole; what differs is told."""

import json
from dataclasses import replace

import house_ours
import pytest
from house_ours import MARKS, STORES, Judged, check, doubts, of_result, problems, stored

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict

HOLDS = Judged("1", "smoke", "2026-01-01", dict.fromkeys(GUARANTEES, "holds"))


def result(**changed):
    """A result in which all holds, with these fields changed."""
    rows = [{"id": row, "verdict": "holds", "reason": ""} for row in GUARANTEES]
    return {
        "store": "portal", "store_version": "1", "profile": "smoke", "complete": True,
        "started_at": "2026-01-01T00:00:00Z", "guarantees": rows, **changed,
    }  # fmt: skip


def verdict(row, word, reason=""):
    """A run in which one guarantee is otherwise."""
    return replace(HOLDS, verdicts={**HOLDS.verdicts, row: word}, reasons={row: reason})


def test_each_store_has_a_verdict_for_each_guarantee():
    """No column of the README's table has a hole."""
    known = stored()
    assert list(known) == list(STORES), "python -m tests.house.house_ours --write FOLDER"
    for name, judged in known.items():
        assert set(judged.verdicts) == set(GUARANTEES), name
        assert set(judged.verdicts.values()) <= set(MARKS), name
        told = {row for row, word in judged.verdicts.items() if word in ("broken", "unknown")}
        assert told == set(judged.reasons), name


def test_a_whole_run_is_taken():
    """Version, profile, date and every verdict are the run's."""
    assert of_result("portal", result()) == HOLDS


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("reference", {}, "the result is of portal"),
        ("portal", {"store": "portal:postgresql:///d"}, "the result is of portal:postgresql"),
        ("portal", {"complete": False}, "left out its end"),
        ("portal", {"guarantees": [{"id": "CORE-01", "verdict": "not run"}]}, "left out CORE-01"),
    ],
)
def test_other_runs_are_refused(name, changed, said):
    """A run of another store, or of some guarantees, is no evidence."""
    with pytest.raises(ValueError, match=said):
        of_result(name, result(**changed))


@pytest.mark.parametrize(
    ("known", "seen", "said"),
    [
        ("holds", "broken", "broken: it lost one"),
        ("not claimed", "broken", "broken: it lost one"),
        ("unknown", "broken", "broken: it lost one"),
        ("holds", "not claimed", "not claimed, and ours.json says holds"),
        ("not claimed", "holds", "holds, and ours.json says not claimed"),
        ("broken", "holds", "holds, and ours.json says that it is broken"),
        ("broken", "not claimed", "not claimed, and ours.json says broken"),
    ],
)
def test_a_verdict_that_is_another_is_a_problem(known, seen, said):
    """A break, and a claim that was added or dropped, is told with its store and guarantee."""
    (told,) = problems("portal", verdict("SEQ-01", known), verdict("SEQ-01", seen, "it lost one"))
    assert told == f"portal SEQ-01: {said}"


@pytest.mark.parametrize("known", ["holds", "unknown"])
def test_a_doubt_is_told_and_is_no_problem(known):
    """What a busy machine could not tell is printed with its reason."""
    seen = verdict("SEQ-01", "unknown", "too few numbers")
    assert problems("portal", verdict("SEQ-01", known), seen) == []
    assert doubts("portal", seen) == ["portal SEQ-01: could not tell: too few numbers"]
    assert problems("portal", verdict("SEQ-01", "unknown"), HOLDS) == []


def test_a_new_guarantee_is_a_problem():
    """A row that the data does not have is to be judged before it is shown."""
    known = replace(HOLDS, verdicts={k: v for k, v in HOLDS.verdicts.items() if k != "SEQ-01"})
    assert problems("portal", known, HOLDS) == ["portal SEQ-01: holds, and ours.json says nothing"]


@pytest.mark.parametrize(("word", "code"), [("holds", 0), ("unknown", 0), ("broken", 1)])
def test_runs_in_folders_are_compared(word, code, tmp_path, capsys, monkeypatch):
    """The exit code is 1 where a run and the data differ; stores without a run are told."""
    monkeypatch.setattr(house_ours, "stored", lambda: dict.fromkeys(STORES, HOLDS))
    folder = tmp_path / "portal"
    folder.mkdir()
    rows = [{"id": row, "verdict": "holds", "reason": "why"} for row in GUARANTEES]
    rows[0]["verdict"] = word
    (folder / "result.json").write_text(json.dumps(result(guarantees=rows)), "utf-8")
    assert check(tmp_path) == code
    printed = capsys.readouterr().out
    assert "reference: no run" in printed
    assert (f"CORE-01: {Verdict(word).shown}: why" in printed) == (word != "holds")


def test_no_run_at_all_is_no_evidence(tmp_path, monkeypatch):
    """An empty folder does not pass."""
    monkeypatch.setattr(house_ours, "stored", lambda: dict.fromkeys(STORES, HOLDS))
    assert check(tmp_path) == 1
