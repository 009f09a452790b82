"""Snapshots and what is restored from them: after drawn programs, and in each way of restoring."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sessionproof.checks.transcript import Fault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Receipt
from sessionproof.contract.operations import Append, Create, Delete, Outcome, Program
from sessionproof.trials import kept_limits
from sessionproof.trials.keeping import (
    SESSION,
    Course,
    Seen,
    Wrong,
    last_number,
    numbers_lines,
    session_id_of,
)
from sessionproof.trials.single import Trial
from sessionproof.workload import lifetime, programs
from sessionproof.workload.execute import Transcript
from sessionproof.workload.vocabulary import made_messages

_MOST = 10  # operations of a program
_EVERY_SORT = 16  # messages: of each kind and role, and some with further fields

Judged = Callable[[Course, str, Seen], None]
"""What is done with a snapshot of a session, given what was seen of it then."""


def equal(trial: Trial) -> None:
    """Keep a session, and restore it where it is gone, and under another id; raises Broken.

    Its limits are kept with it, where a clock can show that. Counts what was restored and compared.
    """
    kept_limits.kept(trial)

    def judged(course: Course, snapshot: str, before: Seen) -> None:
        if trial.claims.session_ids == "caller":
            _elsewhere(course, snapshot, before)
        if "delete" in trial.capabilities:
            _where_it_was(course, snapshot, before)

    _search(trial, judged, paused="active>paused" in trial.claims.transitions)


def outlives(trial: Trial) -> None:
    """Keep a session, delete it, open the store again, restore it; raises Broken."""

    def judged(course: Course, snapshot: str, before: Seen) -> None:
        course.delete()
        if trial.claims.at_least("durability", "process"):
            course.line("store.close()", "store = open_store(location)")
            course.did.append("close, open")
            course.owed(trial.store.close(), "a store can be closed")
        if "snapshots" in trial.capabilities:
            _is_listed(course, snapshot)
        course.must_be(before, course.restored(snapshot))
        trial.count("snapshots")

    _search(trial, judged)


def over_live(trial: Trial) -> None:
    """Restore twice, and over newer messages; raises Broken unless it is as the store says.

    Counts restores that met a session.
    """

    def judged(course: Course, snapshot: str, before: Seen) -> None:
        there = course.session_id
        if "delete" in trial.capabilities:
            course.delete()
            there = course.restored(snapshot)
        _again(course, snapshot, before, there)
        _over_newer(course, snapshot, before, there)

    _search(trial, judged)


def _search(trial: Trial, judged: Judged, *, paused: bool = False) -> None:
    """Do this with a snapshot of a session, after drawn programs that did all else to it.

    With ``paused``, every other session is.
    """
    kinds = programs.kinds_for(trial.capabilities, trial.claims)

    def check(transcript: Transcript) -> Fault | None:
        fault = trial.against_oracle(transcript)
        session_id = session_id_of(transcript)
        if fault is not None or session_id is None:
            return fault
        course = Course(trial, transcript, session_id)
        try:
            if paused and len(transcript) % 2:
                course.pause()
            snapshot = course.kept()
            if snapshot is not None:
                judged(course, snapshot, course.remember())
        except Wrong as wrong:
            trial.store.fresh_location()  # the next program shall not find what this one left
            return wrong.fault
        return None

    for program in trial.within_time([*_examples(trial)]):
        trial.run(program, check, examined=0)
    trial.search(trial.strategy(*kinds, sessions=2, most=_MOST), check, count=lambda _: 0)


def _examples(trial: Trial) -> Iterator[Program]:
    """A message of every sort; then a few messages and each change that can follow them."""
    made = made_messages(trial.words, trial.text_seed)
    said = [Append(SESSION, (message,)) for message in made[:_EVERY_SORT]]
    yield trial.program(*said)
    changes = [
        kind
        for kind in programs.changes(trial.capabilities, trial.claims)
        if kind not in (Append, Create, Delete)
    ]
    for change in programs.one_of_each(trial.words, changes, SESSION, trial.text_seed):
        yield trial.program(*said[:3], change)


def _elsewhere(course: Course, snapshot: str, before: Seen) -> None:
    """Restored under another id, it is a session of its own."""
    given = f"{course.session_id}-copy"
    course.name(given)
    there = course.restored(snapshot, given)
    if there != given:
        course.line("assert there == " + repr(given))
        raise course.wrong(
            Anomaly.WRONG_ANSWER, "the id that was given is answered", f"it is {there!r}"
        )
    course.must_be(before, there)
    course.must_be(before, course.session_id)
    course.trial.count("snapshots")


def _where_it_was(course: Course, snapshot: str, before: Seen) -> None:
    """Restored where it is gone, it is what it was, and its numbers go on."""
    numbers = course.numbers()
    course.delete()
    there = course.restored(snapshot)
    course.must_be(before, there)
    if numbers is not None and course.numbers() != numbers:
        course.line(*numbers_lines(numbers))
        raise course.wrong(
            Anomaly.CHANGED,
            "its messages have the numbers that they had",
            "the table of messages has other numbers",
        )
    last = last_number(course.trial, course.transcript)
    if last is not None and before.facts.get("status") != "paused":
        receipt = course.append("after the restore", there)
        seqs = receipt.seqs if isinstance(receipt, Receipt) else None
        if seqs and seqs[0] <= last:
            course.line(f"assert receipt.seqs[0] > {last}, receipt")
            raise course.wrong(
                Anomaly.DUPLICATE_SEQUENCE,
                f"numbers go on after {last}",
                f"the next message got {seqs[0]}",
            )
    course.trial.count("snapshots")


def _is_listed(course: Course, snapshot: str) -> None:
    """The snapshots of a session that is gone are found."""
    course.line("listed = store.snapshots(SESSION)")
    course.line("assert made in [one.snapshot_id for one in listed], listed")
    done = lifetime.snapshots(course.trial.handle(), course.session_id)
    listed = course.owed(done, "the snapshots of a session that is gone are listed")
    if snapshot not in [one.snapshot_id for one in listed]:
        raise course.wrong(
            Anomaly.WRONG_ANSWER, "the snapshot is listed", f"{len(listed)} others are"
        )


def _again(course: Course, snapshot: str, before: Seen, there: str) -> None:
    """Restored where it is what it was, it is still that."""
    done = course.restore(snapshot, may_refuse=True)
    if not _refused(course, done):
        course.must_be(before, str(course.owed(done, "what was kept can be restored")))
    course.must_be(before, there)
    course.trial.count("restores")


def _over_newer(course: Course, snapshot: str, before: Seen, there: str) -> None:
    """Restored where there is a newer message, in every other case instead of an old one."""
    if "pop_last" in course.trial.capabilities and before.messages and len(course.transcript) % 2:
        course.pop(there)
    course.append("newer", there)
    live = course.remember(there, into="live")
    done = course.restore(
        snapshot, there, may_refuse=course.trial.claims.restore_over_live != "replaces"
    )
    if _refused(course, done):
        course.must_be(live, there, kept_in="live")
    else:
        made = str(course.owed(done, "what was kept can be restored"))
        if made == there and course.trial.claims.restore_over_live == "refuses":
            course.must_be(live, there, kept_in="live")
            raise course.wrong(
                Anomaly.WRONG_ANSWER, "it is refused: the session has newer messages",
                "it answered as if it were done",
            )  # fmt: skip
        course.must_be(before, made)
    course.trial.count("restores")


def _refused(course: Course, done: Outcome) -> bool:
    """Whether a restore was refused where the store says that it refuses."""
    return done.type == "fail" and course.trial.claims.restore_over_live == "refuses"
