"""Small programs under controlled schedules: the row that explores them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from sessionproof.schedule.bounds import covered
from sessionproof.trials import small_programs
from sessionproof.trials.crowds import kinds_of
from sessionproof.trials.exploring import Answer, More
from sessionproof.trials.rows_together import promised_together
from sessionproof.trials.schedules import CLIENTS, explored, finding_of_schedule, reachable
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload.crews import Kind as CrewKind
from sessionproof.workload.crews import is_hosted

_SERVED_LEAST = 0.5  # of the executions, in which a change was acknowledged
_UNSEEN_MOST = 0.5  # of the executions, in which somebody waited where nobody sees it


def no_schedule_breaks(trial: Trial) -> None:
    """Every schedule with at most two preemptions, then random ones."""
    kinds = kinds_of(trial)
    if not promised_together(trial.capabilities, trial.claims):
        raise NotClaimed("the store promises nothing to several clients that append")
    seconds = trial.profile.share_s * trial.guarantee.weight
    mine = reachable(trial, kinds)
    if not mine:  # and never will be: a promise that nobody can look into is none
        raise NotClaimed(f"{_why_not(trial)}; {_by_chance(trial, kinds, seconds)}")
    answer = explored(trial, mine, seconds=seconds, more=_more(trial))
    if answer.found is not None:
        raise Broken(finding_of_schedule(trial, *answer.found))
    _tell(trial, kinds, answer, seconds)


def _more(trial: Trial) -> More:
    """What a slow store is given: the longer time is for what counts. Servers are so by nature."""
    share = 1.0 if trial.store.spec.for_server is not None else 0.5
    least, enough = trial.guarantee.least, trial.profile.schedules
    return More(least=least, seconds=share * trial.profile.patience_s, most=enough or None)


def _tell(trial: Trial, kinds: Sequence[CrewKind], answer: Answer, seconds: float) -> None:
    """Count what was explored and note the bound; raises CouldNotTell where it shows nothing."""
    for part in answer.parts:
        said = covered(part.explored)
        if said:
            lines = ", line by line" if part.lines else ""
            trial.notes.append(f"{CLIENTS[part.kind]}{lines}: {said}")
    if answer.stopped:
        raise CouldNotTell(f"exploring was ended: {answer.stopped}")
    plain = [part for part in answer.parts if not part.lines]
    for part in plain:
        if part.explored.problem:
            raise CouldNotTell(f"under control the store fails: {part.explored.problem}")
    for part in plain:
        explored = part.explored
        if explored.failed > _UNSEEN_MOST * explored.total:
            often = f"in {explored.failed} of {explored.total} executions"
            raise CouldNotTell(f"under control the store fails {often}: {explored.last}")
        if explored.total and part.served < _SERVED_LEAST:
            raise CouldNotTell(
                f"under control the store acknowledged a change in {part.served:.0%} of "
                f"{explored.total} executions: nothing is known of the others"
            )
        if part.kind != "tasks" and not part.reached:
            why = "control reaches nothing inside of the store's calls"
            _out_of_reach(trial, kinds, seconds, why)
        unseen = explored.uncontrolled + sum(explored.ended.values())
        if unseen > _UNSEEN_MOST * explored.total:
            why = f"in {unseen} of {explored.total} executions clients waited where it is not seen"
            _out_of_reach(trial, kinds, seconds, why)
        trial.count("schedules", max(explored.total - unseen - explored.failed, 0))
    trial.count("histories", sum(part.explored.distinct for part in plain))
    if trial.examined["schedules"] < trial.guarantee.least:
        spent_s = sum(part.explored.seconds for part in plain)
        raise CouldNotTell(
            f"{trial.examined['schedules']} schedules in {spent_s:.1f} s, "
            f"{trial.guarantee.least} are needed: the store is slow"
        )


def _out_of_reach(trial: Trial, kinds: Sequence[CrewKind], seconds: float, why: str) -> NoReturn:
    """Try small programs as chance has them; raises Broken, or CouldNotTell."""
    raise CouldNotTell(f"{why}; {_by_chance(trial, kinds, seconds)}")


def _by_chance(trial: Trial, kinds: Sequence[CrewKind], seconds: float) -> str:
    """What small programs showed without control; raises Broken."""
    tried = small_programs.explored(trial, kinds, seconds=seconds)
    return (
        f"{tried.programs} small programs showed nothing in {tried.runs} runs, in "
        f"{tried.together} of which clients met"
    )


def _why_not(trial: Trial) -> str:
    if is_hosted(trial.store):
        return "the store lives in another process, where control does not reach"
    return "control does not reach threads whose store answers awaitables"
