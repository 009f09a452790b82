"""What a recovery may show: yardsticks, judgement, and the trial on stores that differ."""

from dataclasses import replace

import pytest

from fixtures.benign.recovery import NumberedLines
from fixtures.mutants import recovery as mutants
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.upkeep import Recovered
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore
from sessionproof.trials import recovery
from sessionproof.trials.recovered import Recovery, judged, placed, token_of, tokens_in
from sessionproof.trials.salvage import rows_by_shell, untouched
from sessionproof.trials.single import Broken, NotClaimed
from sessionproof.workload.profiles import PROFILES, Deadlines


def said(number, **fields):
    """A message with a token of its own."""
    return Message("user", f"mark{number:04d}word{number:04d} and so on", **fields)


BEFORE = {"a": [said(1), said(2), said(3)], "b": [said(4), said(5)]}
ALL = frozenset(one.token for one in placed(BEFORE))


def recovered(saved, *, lost=(), there=ALL, names=frozenset({"a", "b"}), **other):
    """A recovery that answered what is read."""
    messages = sum(map(len, saved.values()))
    made = Recovery(
        before={one.token: one for one in placed(BEFORE)},
        saved=placed(saved),
        told=Recovered(sessions=len(saved), messages=messages, lost=lost),
        there=there,
        names=names,
        deleted=frozenset({"mark0009word0009"}),
        keeps=frozenset({"role", "content"}),
        listed=frozenset(saved),
        shows=True,
        checksums=True,
    )
    return replace(made, **other)


def anomaly(recovery):
    """What is wrong with it."""
    wrong = judged(recovery)
    return wrong and wrong.anomaly


def test_all_that_was_there_is_right():
    """Everything as it was is right; so is a loss of what cannot be read, where it is told."""
    assert judged(recovered(BEFORE)) is None
    less = {"a": BEFORE["a"][:2], "b": BEFORE["b"]}
    assert judged(recovered(less, lost=("3",), there=ALL - {"mark0003word0003"})) is None


def test_a_session_may_lose_its_name_with_its_row():
    """Messages of a session whose name cannot be read may be in one of another name."""
    renamed = {"a": BEFORE["a"], "recovered-2": BEFORE["b"]}
    assert judged(recovered(renamed, lost=("b",), names=frozenset({"a"}))) is None
    assert anomaly(recovered(renamed, lost=("b",))) is Anomaly.LOST_SESSION


@pytest.mark.parametrize(
    ("saved", "wrong"),
    [
        ({"a": BEFORE["a"], "b": []}, Anomaly.UNSAVED),
        ({**BEFORE, "c": [said(9)]}, Anomaly.RESURRECTION),
        ({"a": [*BEFORE["a"][:2], Message("user", "(lost)")], "b": BEFORE["b"]}, Anomaly.PHANTOM),
        ({"a": [*BEFORE["a"][:2], Message("tool", said(3).content)], "b": BEFORE["b"]},
         Anomaly.CHANGED),
        ({"a": [*BEFORE["a"], said(3)], "b": BEFORE["b"]}, Anomaly.DUPLICATE),
        ({"a": [*BEFORE["a"], said(4)], "b": [said(5)]}, Anomaly.LEAK),
        ({"a": BEFORE["a"][::-1], "b": BEFORE["b"]}, Anomaly.REORDER),
    ],
)  # fmt: skip
def test_each_way_to_be_wrong(saved, wrong):
    """What is missing, invented, changed, back, doubled, elsewhere or in another order."""
    assert anomaly(recovered(saved, lost=("something",))) is wrong


def test_what_is_told_must_be_right():
    """Numbers are those of what is read, and a loss that the files show is told."""
    told = Recovered(sessions=2, messages=6)
    assert anomaly(recovered(BEFORE, told=told)) is Anomaly.WRONG_ANSWER
    assert anomaly(recovered(BEFORE, told=replace(told, messages=5, sessions=3))) is not None
    less = {"a": BEFORE["a"][:2], "b": BEFORE["b"]}
    some = ALL - {"mark0003word0003"}
    assert anomaly(recovered(less, there=some)) is Anomaly.UNNOTICED
    assert judged(recovered(less, there=some, shows=False)) is None


def test_without_checksums_a_text_may_have_changed():
    """A changed message in the place of a lost one cannot be noticed; one more is invented."""
    other = {"a": [*BEFORE["a"][:2], Message("user", "mark00")], "b": BEFORE["b"]}
    some = ALL - {"mark0003word0003"}
    assert judged(recovered(other, lost=("?",), there=some, checksums=False)) is None
    more = {**other, "b": [*BEFORE["b"], Message("user", "more")]}
    assert anomaly(recovered(more, lost=("?",), there=some, checksums=False)) is Anomaly.PHANTOM


def test_tokens_are_found_once():
    """A message with two tokens has none of its own; bytes have all of theirs."""
    assert token_of(said(7)) == "mark0007word0007"
    assert token_of(Message("user", "mark0001word0001 mark0002word0002")) == ""
    assert tokens_in(b"\0mark0001word0001\xffmark0002word0002") == {
        "mark0001word0001",
        "mark0002word0002",
    }


def test_untouched_is_what_no_change_is_near():
    """Blocks with a text, and those that its record may reach into, must be as they were."""
    before = {"db": b"a" * 5_000 + b"first" + b"b" * 5_000 + b"second" + b"c" * 5_000}
    texts = (b"first", b"second", b"nowhere")

    def after(at):
        return {"db": before["db"][:at] + b"!" + before["db"][at + 1 :]}

    assert untouched(before, before, texts) == {b"first", b"second"}
    assert untouched(before, after(4_200), texts) == {b"second"}
    assert untouched(before, after(14_900), texts) == {b"first", b"second"}
    assert untouched(before, {"db": before["db"][:9_000]}, texts) == {b"first"}
    assert untouched(before, {}, texts) == set()


def test_logs_are_read_whole_or_not_at_all():
    """A text in a log counts while the log is as it was; one that is also elsewhere, too."""
    before = {"db": b"one" + b"." * 9_000, "db-wal": b"one two" + b"." * 9_000}
    assert untouched(before, before, [b"one", b"two"]) == {b"one", b"two"}
    cut = {**before, "db-wal": before["db-wal"][:8_000]}
    assert untouched(before, cut, [b"one", b"two"]) == set()


def test_the_shell_does_not_touch_the_file(tmp_path):
    """Where the shell can recover, its rows hold the texts; the file and its folder stay."""
    with ReferenceStore(tmp_path) as store:
        store.append("s", [said(1)])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    rows = rows_by_shell(tmp_path / "sessions.db")
    assert all(row.startswith(b"INSERT") for row in rows)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_numbered_lines_are_saved(trial_of):
    """A store of lines holds it: damage is counted where something could be saved."""
    trial = trial_of("COR-04", NumberedLines, profile=PROFILES["smoke"])
    recovery.saves(trial)
    assert trial.examined["damages"] >= trial.guarantee.least


@pytest.mark.parametrize(
    ("store", "anomaly"),
    [
        (mutants.SavesNothing, Anomaly.UNSAVED),
        (mutants.FillsIn, Anomaly.PHANTOM),
        (mutants.MendsInPlace, Anomaly.OVERWRITTEN),
        (mutants.KeepsSilent, Anomaly.UNNOTICED),
        (mutants.KeepsOldCounters, Anomaly.COUNTER_DRIFT),
    ],
)
def test_what_is_broken_is_named(trial_of, store, anomaly):
    """The finding says what was damaged and what came of it, with a script."""
    trial = trial_of("COR-04", store, profile=PROFILES["smoke"])
    trial.store.deadlines = Deadlines()
    with pytest.raises(Broken) as broken:
        recovery.saves(trial)
    finding = broken.value.finding
    assert finding.anomaly is anomaly
    assert finding.did.startswith("damaged sessions.db")
    assert any("other.recover(" in line for line in finding.script)


def test_a_store_without_files_is_not_judged(trial_of):
    """Memory cannot be damaged."""

    class Recovering(MemoryStore):
        @staticmethod
        def recover(_damaged, _directory):
            return Recovered(sessions=0, messages=0)

    with pytest.raises(NotClaimed):
        recovery.saves(trial_of("COR-04", Recovering))
