"""A trial's time and evidence, and what it says of a fault."""

import threading
from dataclasses import replace

import pytest

from fixtures.benign.sessions import NamesItsSessions
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Limits
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Count, Create, Failure, List, Outcome, Read
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import single
from sessionproof.trials.single import Broken, CouldNotTell
from sessionproof.workload.profiles import Profile

PROFILE = Profile(name="test", share_s=2.0, shrink_s=1.0, patience=4.0, patience_s=20.0)
released = threading.Event()


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by the test."""
    now = [100.0]
    monkeypatch.setattr(single, "monotonic_s", lambda: now[0])
    return now


def test_a_search_takes_its_share_of_the_time(trial_of, clock):
    """With the least evidence in hand it ends when its share is spent."""
    trial = trial_of("CORE-01", profile=PROFILE)
    trial.started_s = clock[0]
    trial.count("messages", 50)
    assert not trial.enough(1.9)
    assert trial.enough(2.0)


def test_a_slow_store_gets_patience(trial_of, clock):
    """Without the least evidence it goes on, and gives up in the end."""
    trial = trial_of("CORE-01", profile=PROFILE)
    trial.started_s = clock[0]
    trial.count("messages", 49)
    clock[0] += 19
    assert not trial.enough(19)
    clock[0] += 2
    assert trial.enough(21)
    assert trial.time_is_up()


def test_a_weight_is_a_share_of_the_time(trial_of, clock):
    """A guarantee of weight 3 has three times as long, and so has its patience."""
    trial = trial_of("CORE-11", profile=PROFILE)
    trial.started_s = clock[0]
    trial.count("operations", 10**6)
    assert not trial.enough(5.9)
    assert trial.enough(6.0)
    clock[0] += 23
    assert not trial.time_is_up()
    clock[0] += 2
    assert trial.time_is_up()


def test_evidence_of_another_unit_does_not_count(trial_of, clock):
    """Only the guarantee's own unit decides."""
    trial = trial_of("CORE-01", profile=PROFILE)
    trial.started_s = clock[0]
    trial.count("reads", 10**6)
    assert not trial.enough(3)


def test_examples_end_with_the_time(trial_of, clock):
    """What a slow store leaves no time for is left out, and noted."""
    trial = trial_of("CORE-06", profile=PROFILE)
    trial.started_s = clock[0]
    seen = []
    for example in trial.within_time("abcdef"):
        seen.append(example)
        clock[0] += 9
    assert seen == ["a", "b", "c"]
    assert trial.notes == ["3 of 6 examples: the store is slow"]


@pytest.mark.parametrize(("failing", "repeats"), [(1, "0 of 3"), (10**6, "3 of 3")])
def test_a_program_that_fails_is_run_again(trial_of, failing, repeats):
    """A finding says how often it was seen again: a fault that passed is no lasting one."""
    left = [failing]

    def read(self, session_id):
        left[0] -= 1
        return [] if left[0] >= 0 else MemoryStore.read(self, session_id)

    trial = trial_of("CORE-01", read=read)
    sample = trial.words.samples[0]
    with pytest.raises(Broken) as caught:
        trial.run(trial.program(Append("s0", (sample,))))
    assert caught.value.finding.repeats == repeats
    assert caught.value.finding.anomaly is Anomaly.LOST_MESSAGE


def test_a_hang_is_seen_once(trial_of):
    """Neither shrinking nor repeating waits out the deadline again."""
    calls = []

    def read(self, session_id):
        calls.append(session_id)
        released.wait(20)

    released.clear()
    trial = trial_of("CORE-01", read=read, operation_s=1.0)
    try:
        with pytest.raises(Broken) as caught:
            trial.search(trial.strategy(Append, Read))
    finally:
        released.set()
    assert len(calls) == 1
    finding = caught.value.finding
    assert (finding.anomaly, finding.repeats) == (Anomaly.HANG, None)
    assert "wait" in finding.evidence["stack"]


def test_memory_that_is_used_up_is_seen_once(trial_of):
    """What a store took may not come back: nothing is tried again with what is left."""
    calls = []

    def read(self, session_id):
        calls.append(session_id)
        raise MemoryError

    trial = trial_of("CORE-01", read=read)
    with pytest.raises(Broken) as caught:
        trial.search(trial.strategy(Append, Read))
    assert len(calls) == 1
    finding = caught.value.finding
    assert (finding.anomaly, finding.repeats) == (Anomaly.UNEXPECTED_REFUSAL, None)


def test_a_fault_falls_on_its_own_program_alone(trial_of):
    """What one program did to its location does not make the next ones fail."""

    def append(self, session_id, messages):
        if any("#3" in str(message.content) for message in messages):
            self.poisoned = True
        return MemoryStore.append(self, session_id, messages)

    def read(self, session_id):
        if getattr(self, "poisoned", False):
            return []
        return MemoryStore.read(self, session_id)

    trial = trial_of("CORE-01", append=append, read=read)
    with pytest.raises(Broken) as caught:
        trial.search(trial.strategy(Append, Read))
    finding = caught.value.finding
    assert any("#3" in line for line in finding.program), finding.program
    assert finding.repeats == "3 of 3"


def test_every_check_owes_answers_first(trial_of):
    """Whatever a test looks for, a malformed answer is found."""
    trial = trial_of("CORE-05", count=lambda self, session_id: "three")
    with pytest.raises(Broken) as caught:
        trial.search(trial.strategy(Append, Count), lambda transcript: None)
    assert caught.value.finding.anomaly is Anomaly.MALFORMED


def test_an_example_may_count_for_more(trial_of):
    """An example is worth what the test says, in the guarantee's unit."""
    trial = trial_of("CORE-06")
    sample = trial.words.samples[0]
    transcript = trial.run(trial.program(Append("s0", (sample,))), examined=1)
    assert trial.examined["texts"] == 1
    assert len(transcript) == 2


def test_given_ids_are_used_on_an_empty_location(trial_of):
    """An example with ids of its own does not meet what others left."""
    trial = trial_of("CORE-07")
    sample = trial.words.samples[0]
    for _ in range(2):
        transcript = trial.run((Append("s0", (sample,)), Read("s0")), ids={"s0": "the id"})
        assert len(transcript[-1].outcome.value) == 1


def test_a_finding_names_the_given_ids(trial_of):
    """The program can be read without knowing the ids that the test gave."""
    trial = trial_of("CORE-07", read=lambda self, session_id: [])
    sample = trial.words.samples[0]
    with pytest.raises(Broken) as caught:
        trial.run((Append("s0", (sample,)), Read("s0")), ids={"s0": "the\nid"})
    program = caught.value.finding.program
    assert program[0] == r"s0 = 'the\nid'"
    assert program[1].startswith("store.append(s0, ")


def test_a_store_that_names_its_sessions_is_told_so(trial_of):
    """Its programs create without an id, and go on with what was answered."""

    class Forgets(NamesItsSessions):
        def read(self, session_id):
            return super().read(session_id)[1:]

    trial = trial_of("CORE-01", Forgets)
    with pytest.raises(Broken) as raised:
        trial.run((Create("s0"), Append("s0", (trial.words.samples[0],)), Read("s0")))
    created, appended, read = raised.value.finding.program
    assert created == "s0 = store.create()"
    assert appended.startswith("store.append(s0, ")
    assert read == "store.read(s0)"


def test_a_listing_that_lacks_a_session_names_its_id(trial_of):
    """The logical name is the harness's; what goes wrong is the id."""
    trial = trial_of("CORE-07", list=lambda self: [])
    sample = trial.words.samples[0]
    with pytest.raises(Broken) as caught:
        trial.run((Append("s0", (sample,)), List()), ids={"s0": "../../x"})
    assert caught.value.finding.seen == "session '../../x' (s0) is missing"
    with pytest.raises(Broken) as caught:
        trial.run((Append("s0", (sample,)), List()))
    assert caught.value.finding.seen == "s0 is missing"


def test_ids_that_lead_out_of_the_location_meet_nothing(trial_of, tmp_path):
    """What one program left beside its location is no matter of the next, or it is not smaller."""

    class Files(MemoryStore):
        def __init__(self, location):
            super().__init__(location)
            self.root = location.root

        def append(self, session_id, messages):
            with (self.root / session_id).open("a") as file:
                file.writelines(message.content for message in messages)

        def read(self, session_id):
            return [Message("user", (self.root / session_id).read_text())]

    trial = trial_of("CORE-07", Files)
    sample = Message("user", "hello")
    for _ in range(2):
        done = trial.run((Append("s0", (sample,)), Read("s0")), ids={"s0": "../../../x"})
        assert done[-1].outcome.value == (sample,)
    assert sorted(tmp_path.rglob("x")) == sorted(tmp_path.glob("location-*/a/x"))


def test_several_messages_have_times_where_time_is_the_order(trial_of):
    """A store that sorts by time is sent nothing that would take the time of its append."""
    claims = MemoryStore.claims
    assert {m.created_at_us for m in trial_of("CORE-01").several(3)} == {None}
    by_time = trial_of("CORE-01", claims=replace(claims, order="timestamp"))
    assert None not in {m.created_at_us for m in by_time.several(3)}
    limited = trial_of("CORE-01", claims=replace(claims, limits=Limits(batch_bytes=100)))
    assert len(limited.several(3)) == 1


def test_nothing_to_say_is_no_verdict(trial_of):
    """A store to which no message can be said cannot be judged."""
    trial = trial_of(
        "CORE-01",
        encode=staticmethod(lambda message: message.nothing),
        decode=staticmethod(lambda value: value),
    )
    with pytest.raises(CouldNotTell, match="no message can be expressed"):
        trial.strategy(Append)


def test_an_owed_call_is_judged_by_how_it_ended(trial_of):
    """A refusal, an open outcome and a hang are findings of different names."""
    trial = trial_of("CORE-12")
    trial.require_ok(Outcome("ok"), "did")
    for name, anomaly in (
        ("hang", Anomaly.HANG), ("crash", Anomaly.CRASH), ("malformed-answer", Anomaly.MALFORMED),
        ("NotFound", Anomaly.UNEXPECTED_REFUSAL), ("KeyError", Anomaly.UNEXPECTED_REFUSAL),
    ):  # fmt: skip
        with pytest.raises(Broken) as caught:
            trial.require_ok(Outcome("info", failure=Failure(name, "text")), "did")
        assert caught.value.finding.anomaly is anomaly
