"""A long session: what the trial asks of stores within their claims, and what it says of breaks."""

from dataclasses import replace

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Limits
from sessionproof.contract.errors import Conflict, Refused
from sessionproof.contract.message import Receipt
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import long
from sessionproof.trials.single import Broken
from sessionproof.workload.profiles import Profile

BRIEF = Profile(name="brief", share_s=5.0, shrink_s=0.5, messages=(100, 300, 1_200))


def finding_of(trial):
    """The finding of a trial that must be broken."""
    with pytest.raises(Broken) as caught:
        long.is_whole(trial)
    return caught.value.finding


def claiming(**changes):
    """The claims of the memory store with these changes."""
    return replace(MemoryStore.claims, **changes)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"limits": Limits(retention=7)},
        {"limits": Limits(batch_bytes=1_000)},
        {"limits": Limits(content_bytes=40)},
        {"order": "timestamp"},
        {"missing_session": "refuses"},
        {"session_ids": "store", "missing_session": "refuses"},
        {"keeps": {"content"}, "seq_start": None, "seq_after_delete": None},
    ],
    ids=lambda changed: ",".join(changed) or "as it is",
)
def test_spares_a_store_within_its_claims(trial_of, changed):
    """Limits, names and orders that a store claims are kept to, at any length."""
    store = type("Odd", (MemoryStore,), {"claims": claiming(**changed)})
    trial = trial_of("SCALE-04", store, profile=BRIEF)
    long.is_whole(trial)
    assert trial.examined["messages"] >= 1_000


def test_a_batch_that_is_refused_is_halved(trial_of):
    """How large a batch may be is another question than whether a session is whole."""
    sizes = []

    def append(self, session_id, messages):
        if len(messages) > 60:
            raise Refused("at most 60")
        sizes.append(len(messages))
        return MemoryStore.append(self, session_id, messages)

    long.is_whole(trial_of("SCALE-04", append=append, profile=BRIEF))
    assert max(sizes) > 30
    assert 1 in sizes


def test_a_batch_that_lands_in_part_is_no_smaller_batch(trial_of):
    """What was refused and is there all the same is not sent again."""

    def append(self, session_id, messages):
        if len(messages) > 60:
            MemoryStore.append(self, session_id, messages[:10])
            raise Conflict("at most 60")
        return MemoryStore.append(self, session_id, messages)

    finding = finding_of(trial_of("SCALE-04", append=append, profile=BRIEF))
    assert finding.anomaly == Anomaly.UNEXPECTED_REFUSAL


def test_the_first_message_that_is_gone_is_named(trial_of):
    """Its number, and its neighbours; the script says the same."""

    def read(self, session_id):
        messages = MemoryStore.read(self, session_id)
        return messages[:700] + messages[701:]

    finding = finding_of(trial_of("SCALE-04", read=read, profile=BRIEF))
    assert finding.anomaly == Anomaly.LOST_MESSAGE
    assert "message #700" in finding.expected
    assert "message #701" in finding.seen
    assert "for n in range(1200)" in "\n".join(finding.script)


def test_a_number_that_is_given_twice_is_named(trial_of):
    """Receipts are judged by the rule that is claimed, message by message."""

    def append(self, session_id, messages):
        receipt = MemoryStore.append(self, session_id, messages)
        return Receipt([min(number, 900) for number in receipt.seqs], receipt.ids)

    finding = finding_of(trial_of("SCALE-04", append=append, profile=BRIEF))
    assert finding.anomaly == Anomaly.DUPLICATE_SEQUENCE
    assert finding.expected == "number 901"
    assert finding.seen == "number 900"


def test_pages_that_never_end_do_not_hold_it_up(trial_of):
    """A cursor that leads on for ever ends the walk, and what came with it is judged."""

    def page(self, session_id, *, cursor=None, limit=50):
        found = MemoryStore.page(self, session_id, cursor=int(cursor or 0) % 1_000, limit=limit)
        return replace(found, next=int(cursor or 0) + limit)

    finding = finding_of(trial_of("SCALE-04", page=page, profile=BRIEF))
    assert finding.anomaly in tuple(Anomaly)
    assert "page" in finding.did


def test_what_happens_to_another_session_is_seen(trial_of):
    """The session beside the long one has its own messages at the end, and no others."""

    def append(self, session_id, messages):
        receipt = MemoryStore.append(self, session_id, messages)
        if receipt.seqs and receipt.seqs[-1] > 900:
            for other in [*self.world]:
                if other != session_id and len(self.read(other)) < 5:
                    MemoryStore.append(self, other, messages[-1:])
        return receipt

    finding = finding_of(trial_of("SCALE-04", append=append, profile=BRIEF, claims=claiming(
        seq_start=None, seq_after_delete=None)))  # fmt: skip
    assert "store.read(s1)" in finding.did


def test_a_count_that_is_wrong_after_a_deletion_is_seen(trial_of):
    """What was right before something was taken away must be right afterwards."""

    def get(self, session_id):
        found = MemoryStore.get(self, session_id)
        return replace(found, message_count=self.numbers[session_id])

    finding = finding_of(trial_of("SCALE-04", get=get, profile=BRIEF))
    assert finding.anomaly == Anomaly.COUNTER_DRIFT
    assert any("pop_last" in line for line in finding.script)
