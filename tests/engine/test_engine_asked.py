"""A run is repeated in the words in which it was asked for; breaks of one cause are led by one."""

from dataclasses import replace

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.engine.assemble import assemble
from sessionproof.engine.plan import Plan, wanted_rows
from sessionproof.workload.profiles import PROFILES


@pytest.fixture
def plan(tmp_path):
    """A plan of the guarantees that some words name."""

    def make(*asked):
        return Plan(
            store="s", claims=Claims(), declared=True, capabilities=(), version=None,
            profile=PROFILES["smoke"], seed=3, only=wanted_rows(asked), asked=asked,
            directory=tmp_path, command="sessionproof run s --seed 3",
        )  # fmt: skip

    return make


def assembled(planned, *records, **more):
    """The result of these records."""
    return assemble(
        planned, records, workers=1, started_at="", timings={}, duration_s=0, environment={}, **more
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ((), ""),
        (("CORE", "SEC-01"), " --only CORE --only SEC-01"),
        (("SEC", "SEC-01"), " --only SEC --only SEC-01"),
        (tuple(dict.fromkeys(row.group for row in GUARANTEES.values())), ""),
    ],
    ids=["nothing", "a group", "twice", "all groups"],
)
def test_the_command_names_what_was_named(plan, asked, words):
    """A group stays a group; where all was judged, nothing is named."""
    assert assembled(plan(*asked)).command == f"sessionproof run s --seed 3{words}"


def test_the_command_accepts_what_was_accepted(plan):
    """Else it could end otherwise."""
    again = assembled(plan("CORE"), accept_unknown=["perf", "SCALE-02"]).command
    assert again.endswith(" --only CORE --accept-unknown PERF --accept-unknown SCALE-02")


def test_what_pytest_left_out_is_not_named(plan):
    """Where fewer were judged than were asked for, each is named by itself."""
    fewer = replace(plan("CORE"), only=("CORE-01", "CORE-02"))
    assert assembled(fewer).command.endswith("--seed 3 --only CORE-01 --only CORE-02")


def test_what_was_asked_goes_through_json(plan):
    """Workers and the report know the words, too."""
    assert Plan.from_json(plan("CORE", "SEC").to_json()).asked == ("CORE", "SEC")


def test_breaks_of_one_cause_point_to_the_first(plan):
    """The result has the pointer; the verdicts stay, and the number of breaks does."""
    finding = Finding(
        anomaly=Anomaly.CHANGED, did="d", expected="e", seen="s", change="name: '' became None"
    )
    records = [
        Record(guarantee=name, test=name, verdict=Verdict.BROKEN, findings=(finding,))
        for name in ("SEC-02", "CORE-06")
    ]
    result = assembled(plan("CORE-06", "SEC-02"), *records)
    by_id = {row.id: row for row in result.guarantees}
    assert by_id["CORE-06"].same_cause_as is None
    assert by_id["SEC-02"].same_cause_as == "CORE-06"
    assert by_id["SEC-02"].verdict is Verdict.BROKEN
    assert result.verdict == "2 guarantees broken; 0 hold."
