"""Searches by one client: at once after a change, of any text, after any sequence of changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from sessionproof.contract.operations import (
    Append,
    Clear,
    Delete,
    DeleteMessage,
    EditMessage,
    Operation,
    PopLast,
    Program,
    Reopen,
    Replace,
)
from sessionproof.contract.seed import derive
from sessionproof.contract.verdicts import Finding
from sessionproof.trials.lookups import Chat, Steps, carried_out, numbered, require_found, says
from sessionproof.trials.queries import asked, cases
from sessionproof.trials.single import Broken, Trial
from sessionproof.workload import programs
from sessionproof.workload.hostile import hostile_texts, payload_texts
from sessionproof.workload.lookups import (
    Find,
    asked_at_the_end,
    logical_text,
    made_words,
)
from sessionproof.workload.search import search

_SESSIONS = ("s0", "s1")
_CHANGES = (Append, Replace, EditMessage, DeleteMessage, PopLast, Clear, Delete)
_MOST = 12  # operations of a drawn program, so that all its words can be looked for


def at_once(trial: Trial) -> None:
    """After each append the new word is found, with each change the old one is not any more."""
    words = made_words(derive(trial.seed, "at once"))
    for steps in trial.within_time([*_examples(trial)]):
        trial.store.fresh_location()  # where numbers of rows are given again, if at all
        require_found(trial, steps, words, _SESSIONS)
    kinds = [Append, *_kinds(trial)[:1]]
    _drawn(trial, words, kinds, often=True)


def equal(trial: Trial) -> None:
    """Drawn programs, with searches in between or without; at the end all words are looked for."""
    words = made_words(derive(trial.seed, "equal"))
    kinds = _kinds(trial)
    for change in kinds:
        require_found(trial, _with_end(_around(trial, change)), words, _SESSIONS)
    again = [Reopen] if trial.claims.at_least("durability", "process") else []
    _drawn(trial, words, [Append, *kinds, *again], often=False)


def any_text(trial: Trial) -> None:
    """Forms that have a meaning elsewhere, whatever is hostile, limits, and the order of hits."""
    words = made_words(derive(trial.seed, "any text"))
    for case in trial.within_time([*cases(trial, words)]):
        asked(trial, case)
    chat = Chat.begun(trial, *_SESSIONS)
    texts = [next(words) for _ in range(3)]
    chat.do(Append("s0", says(trial, texts)))
    drawn = st.one_of(hostile_texts(), payload_texts("/nowhere/canary"))

    def is_wrong(query: str) -> Finding | None:
        try:
            chat.apart().is_no_error(query)
            chat.apart().is_no_error(f"{texts[0]}{query}{texts[1]}", limit=2)
        except Broken as broken:
            return broken.finding
        return None

    searched = search(
        drawn, is_wrong, seed=trial.seed, enough=trial.enough, shrink_s=trial.profile.shrink_s
    )
    trial.count("queries", searched.programs)
    if searched.counterexample is not None:
        raise Broken(searched.counterexample.fault)


def _kinds(trial: Trial) -> list[type[Operation]]:
    """The changes that this store can be asked for, deletions of single messages first."""
    known = programs.changes(trial.capabilities, trial.claims)
    order = (DeleteMessage, PopLast, EditMessage, Replace, Clear, Delete)
    return [kind for kind in order if kind in known]


def _examples(trial: Trial) -> Iterator[Steps]:
    """Each change between two searches: for what is new, and for what it took away."""
    first = numbered(
        trial, [Append("s0", trial.several(1)), Append("s1", trial.several(1))], logical_text
    )
    yield (first[0], Find(("w0",)), first[1], Find(("w1",)), Find(("c0",)), Find(("w0", "w1")))
    batch = numbered(trial, [Append("s0", trial.several(3))] * 3, logical_text)
    yield (*batch, *(Find((f"w{at}",)) for at in range(9)))
    for kind in _kinds(trial):
        yield _around(trial, kind)
    if trial.claims.at_least("durability", "process"):
        yield (first[0], Reopen(), Find(("w0",)), first[1], Find(("w1",)))


def _around(trial: Trial, kind: type[Operation]) -> Steps:
    """Messages that are found, the change, and what is found then; also once others came."""
    (change,) = programs.one_of_each(trial.words, [kind], "s0", trial.text_seed)
    one = trial.several(1)
    appends: list[Operation] = [Append("s0", one)] * 3
    steps = numbered(trial, [*appends, change, Append("s1", one), Append("s0", one)], logical_text)
    *before, change, after, last = steps
    looks = tuple(Find((f"w{at}",)) for at in range(6))
    # A store that does not take appends after a deletion refuses the last: then it is not found.
    return (*before, *looks[:3], change, *looks[:4], after, last, *looks)


def _drawn(
    trial: Trial, words: Iterator[str], kinds: Sequence[type[Operation]], *, often: bool
) -> None:
    """Programs of these operations; each is run on words of its own."""
    bodies = trial.strategy(*kinds, sessions=2, most=_MOST)
    places = st.sets(st.integers(0, _MOST), min_size=4 if often else 0)
    strategy = st.builds(lambda body, at: _searched(trial, body, at), bodies, places)

    found = search(
        strategy,
        lambda steps: carried_out(trial, steps, words, _SESSIONS),
        seed=trial.seed,
        enough=trial.enough,
        shrink_s=trial.profile.shrink_s,
    )
    trial.count("programs", found.programs)
    example = found.counterexample
    if example is not None:
        for steps in (example.program, example.first_program):
            require_found(trial, steps, words, _SESSIONS)
        raise Broken(example.fault.finding)


def _searched(trial: Trial, body: Program, places: set[int]) -> Steps:
    """The changes of a program, with a search for what was said last behind some of them."""
    steps = [step for step in body if isinstance(step, (*_CHANGES, Reopen))]
    out: list[Operation | Find] = []
    number = 0
    for at, step in enumerate(numbered(trial, steps, logical_text)):
        out.append(step)
        number += _sent(step)
        if at in places and number:
            out.append(Find((f"w{number - 1}",)))
    return _with_end(tuple(out))


def _with_end(steps: Steps) -> Steps:
    """The steps, and a search for all words at their end."""
    number = sum(_sent(step) for step in steps if not isinstance(step, Find))
    return (*steps, *asked_at_the_end(number))


def _sent(step: Operation) -> int:
    return (
        len(step.messages) if isinstance(step, Append | Replace) else isinstance(step, EditMessage)
    )
