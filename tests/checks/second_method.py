"""A second opinion that shares no code with the checks: every order of a few operations, tried.

For histories of ``drawn_histories``; slow, plain, and without memory.
"""

from __future__ import annotations

from itertools import combinations

from drawn_histories import Drawn
from simulated_store import FAIL, INFO, OK, Act

from sessionproof.history.columns import NONE, F


def explained(drawn: Drawn) -> bool:
    """Whether any order of the operations, true to real time, gives every answer."""
    store = drawn.store
    acts = [act for act in drawn.acts if not _says_nothing(act)]
    acts = [act for act in acts if not _crosses_a_removal(act, drawn.acts)]
    units: list[tuple[int, int, Act, tuple[int, ...]]] = []  # (act, part, act itself, ids)
    for number, act in enumerate(acts):
        ids = act.ids if act.f in (F.APPEND, F.CREATE, F.REPLACE) and act.type != FAIL else ()
        if store.atomic or act.f != F.APPEND or len(ids) < 2:
            units.append((number, 0, act, ids))
        else:
            units += [(number, part, act, (one,)) for part, one in enumerate(ids)]
    sure = [unit for unit in units if unit[2].type != INFO]
    unsure = [unit for unit in units if unit[2].type == INFO]
    made = any(act.f == F.CREATE for act in acts)
    begins = ["missing"] if store.creates or made else ["missing", "made"]
    for size in range(len(unsure) + 1):
        for some in combinations(unsure, size):
            chosen = [*sure, *some]
            if any(_order(chosen, (begin, (), 0, True), drawn) for begin in begins):
                return True
    return False


def leaves_out_pages(drawn: Drawn) -> bool:
    """Whether there are pages that were answered while something may have been removed."""
    return any(_crosses_a_removal(act, drawn.acts) for act in drawn.acts if act.type == OK)


def _says_nothing(act: Act) -> bool:
    if act.type == FAIL:
        return not act.missing or act.reads or act.f == F.CREATE
    if act.reads:
        return act.type == INFO
    return act.f == F.APPEND and not act.n


def _crosses_a_removal(act: Act, acts: tuple[Act, ...]) -> bool:
    """Pages while something may be removed show no single moment."""
    if act.f != F.PAGES:
        return False
    since = max(
        (one.ret for one in acts if one.client == act.client and one.ret <= act.inv), default=-1
    )
    return any(
        one.f in (F.CLEAR, F.DELETE, F.REPLACE)
        and one.type != FAIL
        and one.inv <= act.ret
        and (one.type == INFO or (one.client != act.client and one.ret >= since))
        for one in acts
    )


def _order(left, state, drawn) -> bool:
    """Whether the rest can follow, one at a time."""
    if not left:
        return True
    for unit in left:
        number, part, act, _ = unit
        others = [one for one in left if one is not unit]
        if any(one[2].type != INFO and one[2].ret < act.inv for one in others):
            continue
        if any(one[0] == number and one[1] < part for one in others):
            continue
        if part and act.type == INFO and not _parts_before_are_chosen(unit, left, state):
            continue
        for after in (_after(state, unit, drawn), _skipped(state, unit, drawn)):
            if after is not None and _order(others, after, drawn):
                return True
    return False


def _skipped(state, unit, drawn):
    """An append without an outcome may use up its numbers, and no more."""
    number, part, act, new = unit
    if act.f != F.APPEND or act.type != INFO or drawn.store.start is None or not state[3]:
        return None
    return (state[0], state[1], state[2] + len(new), *state[3:], (number, part))


def _parts_before_are_chosen(unit, left, state) -> bool:
    """A message of a batch lands only behind the one before it; ``state`` knows what has landed."""
    return (unit[0], unit[1] - 1) in state[4:]


def _after(state, unit, drawn):
    """The state after one operation, None if it cannot have answered so."""
    kind, ids, numbers, exact = state[:4]
    number, part, act, new = unit
    store = drawn.store
    landed = (*state[4:], (number, part))
    nobody = not ids and kind != "made"
    if act.type == FAIL or act.missing:
        return (*state[:4], *landed) if nobody else None
    if act.f in (F.READ, F.PAGES):
        return (*state[:4], *landed) if act.answer == ids else None
    if act.f == F.READ_LAST:
        return (*state[:4], *landed) if act.answer == ids[max(0, len(ids) - act.n) :] else None
    if act.f == F.COUNT:
        total = sum(1 + one % 7 for one in ids)
        good = act.count == len(ids) and act.value in (NONE, total)
        return (*state[:4], *landed) if good else None
    if act.f == F.CREATE:
        if not nobody:
            return None if new else (*state[:4], *landed)
        kind, ids = "made", ()
    elif act.f == F.APPEND:
        if kind == "missing" and not store.creates:
            return None
        if kind == "missing":
            kind = "emptied"
        if store.start is not None and part == 0 and act.type != INFO and act.value != NONE:
            told = act.value - store.start
            if told < numbers or (exact and told != numbers):
                return None
            numbers = told
    elif act.f == F.DELETE:
        if kind == "missing" and exact:
            return (*state[:4], *landed)
        kind, ids, numbers, exact = "missing", (), 0, False
    else:
        kind, ids, numbers, exact = "emptied", (), 0, False
    return (kind, ids + new, numbers + len(new), exact, *landed)
