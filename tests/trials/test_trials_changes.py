"""A change of a field is named in the same words, whatever was done to the store before."""

import pytest
from changing_stores import EmptyMetadata

from sessionproof.checks.flaws import Flaw
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Read
from sessionproof.trials import faults, long
from sessionproof.trials.crashes.exploration import in_short
from sessionproof.trials.single import Broken
from sessionproof.workload.execute import execute
from sessionproof.workload.profiles import PROFILES, Profile

BRIEF = Profile(name="brief", share_s=5.0, shrink_s=0.5, messages=(100, 300, 1_200))
CHANGE = "metadata: None became {}"


def plain(trial):
    """A message is appended and read."""
    operations = (Append("s0", (Message("user", "x"),)), Read("s0"))
    transcript = execute(operations, trial.store)
    trial.conclude(transcript, trial.against_oracle(transcript))


@pytest.mark.parametrize(
    ("guarantee", "asked", "profile"),
    [
        ("CORE-01", plain, BRIEF),
        ("SCALE-04", long.is_whole, BRIEF),
        ("CORE-16", faults.kept_or_refused, PROFILES["smoke"]),
    ],
)
def test_a_change_has_one_name(trial_of, guarantee, asked, profile):
    """Plain, long and disturbed: what is read shows the same mistake."""
    trial = trial_of(guarantee, EmptyMetadata, profile=profile)
    with pytest.raises(Broken) as caught:
        asked(trial)
    assert caught.value.finding.anomaly is Anomaly.CHANGED
    assert caught.value.finding.change == CHANGE


@pytest.mark.parametrize(
    ("seen", "change", "told"),
    [
        (f"1 message: …; first difference at message 1, {CHANGE}", CHANGE, CHANGE),
        ("3 messages: …; first difference at message 2, role: a became b; 1 message missing", "",
         "at message 2, role: a became b; 1 message missing"),
        ("it raised KeyError: 'x'", "", "it raised KeyError: 'x'"),
    ],
)  # fmt: skip
def test_what_is_wrong_without_a_crash_is_told_in_short(seen, change, told):
    """The reason names the change, or the first difference, and no list of messages."""
    flaw = Flaw(
        anomaly=Anomaly.CHANGED, aspect="messages", expected="3 messages: …", seen=seen,
        change=change,
    )  # fmt: skip
    assert in_short(flaw) == told
