"""CORE: what every store owes."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import strategies as st

from sessionproof.checks.isolation import count_watched, judge_isolation
from sessionproof.checks.transcript import Fault, judge_receipts, judge_repeats
from sessionproof.checks.unknown import judge_not_found
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Completed,
    Count,
    Create,
    Delete,
    Get,
    List,
    Operation,
    Program,
    Read,
    ReadLast,
    ReadPages,
    Reopen,
    Replace,
    SetState,
)
from sessionproof.trials import (
    batches,
    copies,
    crash,
    faults,
    first_calls,
    inputs,
    io_errors,
    reopening,
    sharing,
    together,
)
from sessionproof.trials.single import Trial
from sessionproof.workload import programs
from sessionproof.workload.execute import Transcript

guarantee = pytest.mark.guarantee


@guarantee("CORE-01")
def test_what_was_appended_is_read_back(trial: Trial) -> None:
    """What was appended is read back, equal in every kept field, in append order."""
    trial.search(trial.strategy(Append, Append, Read))


@guarantee("CORE-01")
def test_a_long_conversation_is_read_back(trial: Trial) -> None:
    """A conversation of more messages than a careless limit allows is read back whole."""
    trial.run(trial.program(*[Append("s0", trial.several(5))] * 30))


@guarantee("CORE-02")
def test_a_batch_keeps_its_order(trial: Trial) -> None:
    """A batch keeps its inner order and is there whole, a long one too."""
    trial.run(trial.program(Append("s0", trial.several(150))))
    trial.search(trial.strategy(Append, most=10))


@guarantee("CORE-02")
def test_a_batch_lands_whole_or_not_at_all(trial: Trial) -> None:
    """A batch with an invalid element lands whole or not at all."""
    batches.whole_or_not_at_all(trial)


@guarantee("CORE-03")
def test_the_newest_n(trial: Trial) -> None:
    """The newest n are answered, oldest first, for n = 0, 1, all, and more than all."""

    def ends(program: Program) -> Program:
        length = sum(len(step.messages) for step in program if isinstance(step, Append))
        return (*program, *(ReadLast("s0", n) for n in (0, 1, length, length + 1)))

    trial.search(trial.strategy(Append, ReadLast, most=12).map(ends), count=_counted(ReadLast))


@guarantee("CORE-04")
def test_paging_gives_every_message_once(trial: Trial) -> None:
    """Paging by cursor gives every message once, in order, whatever the page size."""

    def ends(program: Program) -> Program:
        length = sum(len(step.messages) for step in program if isinstance(step, Append))
        limits = {1, max(1, length - 1), max(1, length), length + 1}
        return (*program, *(ReadPages("s0", limit) for limit in sorted(limits)))

    trial.search(trial.strategy(Append, ReadPages, most=12).map(ends), count=_counted(ReadPages))


@guarantee("CORE-04")
def test_paging_while_others_append(trial: Trial) -> None:
    """Paging gives every message once, in order, while others append."""
    together.paging(trial)


@guarantee("CORE-05")
def test_sessions_do_not_see_each_other(trial: Trial) -> None:
    """No operation on one session changes what is read of another."""
    names = ("s", "s0", "s1")  # one is the beginning of the others
    changes = programs.changes(trial.capabilities, trial.claims)

    def watched(program: Program) -> Program:
        reads = [Read(name) for name in names]
        return tuple(step for change in program for step in (change, *reads))

    def apart(transcript: Transcript) -> Fault | None:
        return judge_isolation(transcript, trial.claims.keeps)

    filled = [Append(name, trial.several(2)) for name in names]
    for change in programs.one_of_each(trial.words, changes, "s", trial.text_seed):
        seen = trial.run(watched(trial.program(*filled, change, sessions=names)), apart, examined=0)
        trial.count("operations", count_watched(seen))
    drawn = programs.programs(
        trial.words, trial.capabilities, changes, seed=trial.text_seed, names=names, most=8
    )
    trial.search(drawn.map(watched), apart, count=count_watched)


@guarantee("CORE-06")
def test_each_text_is_read_back_or_refused(trial: Trial) -> None:
    """Each text is read back equal, or refused and not written; it is never changed."""
    inputs.read_back_or_refused(trial)


@guarantee("CORE-07")
def test_session_ids_are_opaque(trial: Trial) -> None:
    """Any two different ids are different sessions, or an id is refused."""
    inputs.distinct_sessions(trial)


@guarantee("CORE-08")
def test_all_is_there_after_reopening(trial: Trial) -> None:
    """All is there after close and reopen, by another handle and by another process."""
    reopening.still_there(trial)


@guarantee("CORE-09")
def test_reading_an_unknown_session(trial: Trial) -> None:
    """Reading an unknown session is empty or not found, the same each time, and makes nothing."""
    looks = [
        kind
        for kind in programs.kinds_for(trial.capabilities, trial.claims)
        if kind in (Read, ReadLast, ReadPages, Count, Get)
    ]
    one = programs.operation_strategy(trial.words, looks, ["unknown"], trial.text_seed)
    known = Append("s0", trial.words.samples[:1])

    def around(looks: list[Operation]) -> Program:
        twice = [step for look in looks for step in (look, look)]
        listing = [List()] if "list" in trial.capabilities else []
        return (*trial.program(known), *twice, *listing, Read("unknown"), Read("s0"))

    trial.search(
        st.lists(one, min_size=1, max_size=6).map(around),
        lambda transcript: (
            trial.against_oracle(transcript)
            or judge_repeats(transcript)
            or judge_not_found(transcript, "unknown")
        ),
    )


@guarantee("CORE-10")
def test_invalid_messages_are_refused(trial: Trial) -> None:
    """An unknown role, a negative number, wrong types are refused, and nothing is written."""
    inputs.refused_and_unwritten(trial)


@guarantee("CORE-11")
def test_the_whole_interface_agrees_with_the_oracle(trial: Trial) -> None:
    """Any sequence of operations is answered as the oracle answers it."""
    kinds = programs.kinds_for(trial.capabilities, trial.claims)
    trial.search(
        programs.swarm(trial.words, trial.capabilities, kinds, seed=trial.text_seed, sessions=2),
        lambda transcript: trial.against_oracle(transcript) or judge_receipts(transcript),
    )


@guarantee("CORE-11")
def test_each_change_has_its_effect_alone(trial: Trial) -> None:
    """Each kind of change, on a filled and on an unknown session, leaves what the oracle says."""
    kinds = programs.kinds_for(trial.capabilities, trial.claims)
    changes = programs.changes(trial.capabilities, trial.claims)
    asked = programs.observations(["s0"], kinds)
    again = [Reopen(), *asked] if Reopen in kinds else []
    state = [SetState("s0", "step", 2)] if SetState in kinds else []
    filled = Append("s0", trial.several(3))
    for change in programs.one_of_each(trial.words, changes, "s0", trial.text_seed):
        # Used again afterwards, as deleted and emptied sessions are.
        made = type(change) is Delete and trial.claims.missing_session != "creates"
        anew = [Create("s0")] if made and Create in kinds else []
        after = [*anew, Append("s0", trial.several(1)), *asked]
        trial.run(trial.program(filled, *state, change, *asked, *after, *again))
    unknown = programs.observations(["unknown"], kinds)
    for change in programs.one_of_each(trial.words, changes, "unknown", trial.text_seed):
        trial.run(trial.program(change, *unknown))


@guarantee("CORE-11")
def test_the_first_call_is_answered_as_any_later_one(trial: Trial) -> None:
    """Whatever is called first on an empty location goes as it goes later."""
    first_calls.answered_alike(trial)


@guarantee("CORE-12")
def test_nothing_is_shared_with_the_caller(trial: Trial) -> None:
    """Changing what was passed or returned changes nothing stored."""
    copies.nothing_shared(trial)


@guarantee("CORE-12")
def test_nothing_is_shared_by_other_operations(trial: Trial) -> None:
    """What goes through pages, replacements, creations, edits and state is copied, too."""
    sharing.nothing_shared_elsewhere(trial)


@guarantee("CORE-13")
def test_first_messages_are_there(trial: Trial) -> None:
    """A session created with its first messages has all of them, in order."""
    batches.created_whole(trial)


@guarantee("CORE-13")
def test_a_creation_is_whole_or_not_at_all(trial: Trial) -> None:
    """A creation with a message that cannot be stored leaves all of it, or no session."""
    batches.whole_or_not_at_all(trial, batches.CREATE)


@guarantee("CORE-13")
def test_a_creation_survives_a_crash_whole_or_not_at_all(trial: Trial) -> None:
    """After a crash inside a creation, the session has all of its first messages, or is not."""
    crash.survives(trial)


@guarantee("CORE-14")
def test_repetition_is_data(trial: Trial) -> None:
    """N equal messages count n, and an equal batch sent twice counts twice."""
    one = programs.messages(trial.words, trial.text_seed)
    start = programs.beginnings(["s0", "s1"], trial.words, trial.capabilities)

    def repeated(message: Message, equal: int, times: int) -> Program:
        batch = (replace(message, id=None),) * equal  # equal ids would make them one message
        appends = [Append(name, batch) for _ in range(times) for name in ("s0", "s1")]
        return (*start, *appends, Read("s0"), Read("s1"))

    trial.search(st.builds(repeated, one, st.integers(1, 4), st.integers(1, 3)))


@guarantee("CORE-15")
def test_a_new_history_takes_the_place_of_the_old(trial: Trial) -> None:
    """A replacement that succeeds leaves the new history, and nothing of the old one."""
    observed = [Count, Get, ReadLast]
    kinds = programs.kinds_for(trial.capabilities, trial.claims)
    asked = programs.observations(["s0"], [kind for kind in observed if kind in kinds])
    old = Append("s0", trial.several(3))
    for new in (0, 1, 3, 5):  # shorter, equally long, longer
        exchanged = trial.program(old, Replace("s0", trial.several(new)[:new]), old)
        trial.run((*exchanged, *asked), examined=1)
    trial.search(
        trial.strategy(Append, Replace, Replace, most=10).map(lambda program: (*program, *asked)),
        count=_counted(Replace),
    )


@guarantee("CORE-15")
def test_a_replacement_is_whole_or_not_at_all(trial: Trial) -> None:
    """A replacement that fails leaves the old history: messages, order, counters."""
    batches.whole_or_not_at_all(trial, batches.REPLACE)


@guarantee("CORE-15")
def test_a_replacement_survives_a_crash_whole_or_not_at_all(trial: Trial) -> None:
    """After a crash inside a replacement, the old history is there, or the new one."""
    crash.survives(trial)


@guarantee("CORE-16")
def test_what_cannot_be_stored_raises(trial: Trial) -> None:
    """An append under a lock, into a broken table or onto a full disk is kept, or raises."""
    faults.kept_or_refused(trial)


@guarantee("CORE-16")
def test_what_fails_below_the_store_raises(trial: Trial) -> None:
    """An append whose write or sync fails raises, or is kept."""
    io_errors.survives(trial)


@guarantee("CORE-17")
def test_retention_drops_what_the_claim_says(trial: Trial) -> None:
    """The newest messages up to the claimed limit stay, in order, and nothing else."""
    limit = trial.claims.limits.retention or 0
    one = programs.messages(trial.words, trial.text_seed)
    steps = st.lists(programs.batches(one, most=max(4, limit // 2)), min_size=1, max_size=12)
    trial.search(steps.map(lambda steps: trial.program(*(Append("s0", batch) for batch in steps))))


def _counted(kind: type[Operation]) -> Callable[[tuple[Completed, ...]], int]:
    """Count the answered operations of this kind."""

    def count(transcript: tuple[Completed, ...]) -> int:
        return sum(
            isinstance(done.operation, kind) and done.outcome.type == "ok" for done in transcript
        )

    return count
