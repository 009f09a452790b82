"""Transactions over several sessions: which are isolated as claimed, and what is said of others."""

from __future__ import annotations

from random import Random

import pytest
from drawn_transactions import drawn
from every_order import explained

from sessionproof.checks import cycles
from sessionproof.checks.graphs import components
from sessionproof.checks.transactions import judge_transactions
from sessionproof.history.transactions import Step, Transaction, from_lines, to_lines

LEVELS = ("snapshot", "serializable", "strict-serializable")


def history(*lines: str) -> tuple[Transaction, ...]:
    """Of lines such as ``0 ok 1-5 a+1,2 b=1 b=``: client, outcome, times, appends and reads."""
    return tuple(map(_transaction, lines))


def _transaction(line: str) -> Transaction:
    client, kind, times, *steps = line.split()
    inv, _, ret = times.partition("-")
    final = kind == "final"
    return Transaction(
        int(client),
        int(inv),
        int(ret) if ret != "?" else None,
        "ok" if final else kind,
        tuple(map(_step, steps)),
        final=final,
    )


def _step(text: str) -> Step:
    session, ids = text[0], text[2:]
    known = None if ids == "?" else tuple(map(int, ids.split(","))) if ids else ()
    return Step("append" if text[1] == "+" else "read", session, known)


def said(isolation: str, *lines: str) -> list[str]:
    """The names of what is wrong."""
    return [str(one.anomaly) for one in judge_transactions(history(*lines), isolation)]


LAST = ("8 final 90-91 a=1,2", "9 final 92-93 b=3,4")
CASES = {
    "G0": (("0 ok 1-9 a+1 b+4", "1 ok 2-8 a+2 b+3", *LAST), LEVELS),
    "G1c": (("0 ok 1-9 a+1 b=3", "1 ok 2-8 b+3 a=1", "8 final 90-91 a=1"), LEVELS),
    "G-single": (("0 ok 1-9 a+1 b+3", "1 ok 2-8 a=1 b=", "9 final 92-93 b=3"), LEVELS),
    "G-nonadjacent": (
        ("0 ok 1-9 a+1", "1 ok 2-9 b+3", "2 ok 3-9 a=1 b=", "3 ok 4-9 a= b=3"),
        LEVELS,
    ),
    "G2": (("0 ok 1-9 a= b+3", "1 ok 2-8 b= a+1", "8 final 90-91 a=1"), LEVELS[1:]),
    "G-single-realtime": (("0 ok 1-2 a+1", "1 ok 3-4 a=", "8 final 90-91 a=1"), LEVELS[2:]),
    "G-single-process": (("0 ok 1-2 a+1", "0 ok 3-4 a=", "8 final 90-91 a=1"), LEVELS[2:]),
    "G0-realtime": (("0 ok 1-2 a+2", "1 ok 3-4 a+1", "8 final 90-91 a=1,2"), LEVELS[2:]),
    "aborted-read": (("0 fail 1-2 a+1", "1 ok 3-4 a=1"), LEVELS),
    "intermediate-read": (
        ("0 ok 1-9 a+1 a+2", "1 ok 2-3 a=", "1 ok 4-5 a=1", "8 final 90-91 a=1,2"),
        LEVELS,
    ),
    "torn-batch": (("0 ok 1-5 a+1,2", "1 ok 2-6 a+3", "2 ok 7-8 a=1,3"), LEVELS),
    "internal": (("0 ok 1-5 a+1 a=", "8 final 90-91 a=1"), LEVELS),
    "incompatible-order": (("0 ok 1-5 a+1 b+3", "1 ok 1-5 a+2", "2 ok 6-7 a=1", "3 ok 6-7 a=2,1"),
                           LEVELS),
    "duplicate": (("0 ok 1-5 a+1,2", "8 final 90-91 a=1,2,2"), LEVELS),
    "phantom": (("0 ok 1-5 a+1", "8 final 90-91 a=1,2"), LEVELS),
    "cross-session-leak": (("0 ok 1-5 a+1", "9 final 92-93 b=1"), LEVELS),
    "lost-message": (("0 ok 1-5 a+1", "8 final 90-91 a="), LEVELS),
}  # fmt: skip


@pytest.mark.parametrize("isolation", LEVELS)
@pytest.mark.parametrize("name", CASES)
def test_each_break_has_its_name(name: str, isolation: str):
    """It is found where the isolation rules it out, under this name, and nowhere else."""
    lines, at = CASES[name]
    names = said(isolation, *lines)
    assert names[:1] == ([name] if isolation in at else [])


RIGHT = {
    "serial": ("0 ok 1-2 a+1 b=", "1 ok 3-4 a=1 b+2", "0 ok 5-6 a=1 b=2"),
    "own appends": ("0 ok 1-2 a+1 a=1 a+2 a=1,2 b=", "1 ok 3-4 a=1,2"),
    "an unknown outcome that took place": ("0 info 1-? a+1 b+2", "1 ok 3-4 a=1 b=2"),
    "and late": ("0 info 1-? a+1 b+2", "1 ok 3-4 a= b=", "2 ok 5-6 a=1 b=2"),
    "one that never did": ("0 info 1-? a+1 b+2", "1 final 3-4 a=", "1 final 5-6 b="),
    "one that took place between two final reads": (
        "0 info 1-? a+1 b+2", "1 final 3-4 a=", "1 final 5-6 b=2",
    ),
    "a refusal": ("0 fail 1-2 a+1", "1 final 3-4 a="),
    "what one that was refused had read": ("0 fail 1-2 a=7",),
    "nothing": (),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_may_be_is_not_held_against_a_store(name: str):
    """Nothing is said even where most is claimed."""
    assert said("strict-serializable", *RIGHT[name]) == []


def test_the_cycle_is_told_in_sentences():
    """Each hop has its reason, and the shortest cycle is told."""
    lines = ("0 ok 1-9 a= b+3", "1 ok 2-8 b= a+1", "2 ok 3-9 a=1 b=3", "8 final 90-91 a=1")
    (found,) = judge_transactions(history(*lines), "serializable")
    assert found.members == (0, 1)
    assert found.lines == (
        "T1 < T2, because T1 has read without T2's message #1 in 'a'",
        "T2 < T1, because T2 has read without T1's message #3 in 'b'",
        "So T1 < T2 < T1: a contradiction",
    )


@pytest.mark.parametrize("isolation", LEVELS)
def test_it_agrees_with_a_search_through_all_orders(isolation: str):
    """Of drawn histories, right and wrong ones, those are told wrong that no order explains."""
    wrong = 0
    for number in range(1_500):
        made = drawn(Random(number), final=isolation == "strict-serializable")
        found = judge_transactions(made, isolation)
        expected = explained(made, isolation)
        if expected == (not found) or (isolation == "snapshot" and _left_open(made, found)):
            wrong += not expected
            continue
        shown = "\n".join([f"case {number}: {expected}", *map(str, found), to_lines(made)])
        pytest.fail(shown)
    assert 300 < wrong < 1_200


def _left_open(made: tuple[Transaction, ...], found: object) -> bool:
    """Whether the order of two appends that nobody else read is open: snapshots are not told."""
    read = set()
    for one in made:
        own = {number for step in one.steps if step.f == "append" for number in step.ids or ()}
        for step in one.steps:
            if step.f == "read" and one.type == "ok":
                read |= set(step.ids or ()) - own
    unread: dict[str, set[int]] = {}
    for at, one in enumerate(made):
        for step in one.steps:
            if step.f == "append" and one.type != "fail" and not read & set(step.ids or ()):
                unread.setdefault(step.session, set()).add(at)
    return not found and any(len(writers) > 1 for writers in unread.values())


def test_histories_are_kept_as_lines():
    """What is written is read again; what is no history is told with its line."""
    for number in range(30):
        made = drawn(Random(number), final=number % 2 == 0)
        assert from_lines(to_lines(made)) == made
    with pytest.raises(ValueError, match="line 2"):
        from_lines(to_lines(made[:1]) + '{"client": 1}\n')


def test_components_are_those_of_mutual_reach():
    """As by definition: each node of a component reaches each other one, and no further ones."""
    for number in range(200):
        random = Random(number)
        size = random.randrange(1, 9)
        successors = [[at for at in range(size) if random.random() < 0.2] for _ in range(size)]
        reach = [_reached(successors, at) for at in range(size)]
        expected = {
            frozenset(other for other in reach[at] if at in reach[other]) | {at}
            for at in range(size)
        }
        found = {frozenset(one) for one in components(successors)}
        assert found == {one for one in expected if len(one) > 1}


def _reached(successors: list[list[int]], start: int) -> set[int]:
    found: set[int] = set()
    waiting = [start]
    while waiting:
        for other in successors[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def test_a_long_chain_is_no_matter():
    """Ten thousand nodes in a circle are one component: no recursion."""
    number = 10_000
    assert len(components([[(at + 1) % number] for at in range(number)])[0]) == number


def test_a_read_without_an_answer_tells_nothing():
    """What a transaction read is judged where its answer is known."""
    known = ("0 ok 1-5 a+1 a=", "8 final 90-91 a=1")
    assert said("serializable", *known) == ["internal"]
    assert said("serializable", "0 ok 1-5 a+1 a=?", known[1]) == []
    assert said("serializable", "0 ok 1-5 a+1 a=? a=", known[1]) == ["internal"]


def test_a_transaction_does_not_read_its_own_message_before_it_appends_it():
    """Where others have it in the same place, the answer is wrong all the same."""
    final = "8 final 90-91 a=1"
    assert said("snapshot", "0 ok 1-5 a=1 a+1", final) == ["internal"]
    assert said("snapshot", "0 ok 1-5 a= a+1", final) == []


def test_a_cycle_has_no_first_transaction():
    """Two misses are in a row as well where one leaves the last transaction told."""
    lines = ("0 ok 1-9 a+1 b=", "1 ok 2-8 b+3", "2 ok 3-9 a= b=3", "8 final 90-91 a=1")
    assert said("serializable", *lines) == ["G2"]


def test_what_begins_as_another_ends_is_no_later():
    """Of a cycle that real time makes, no hop is one of a single moment."""
    lines = ("0 ok 1-3 a+1", "1 ok 3-9 b=5 a=", "2 ok 5-8 b+5", "8 final 90-91 a=1")
    (found,) = judge_transactions(history(*lines), "strict-serializable")
    assert str(found.anomaly) == "G-single-realtime"
    assert found.members == (1, 0, 2)


TWISTED = (
    "0 ok 5-9 a+1 c= d+6",
    "1 ok 1-9 b+2",
    "2 ok 1-9 a=1 b=",
    "3 ok 1-9 a= b=2 e+3",
    "4 ok 1-4 c+5 d= e=3",
    "5 ok 1-9 c=5 f+7 g+8",
    "6 ok 1-9 d= f=7 g=",
)
"""The cycles of the first transaction break no snapshot, and the last two have the shortest."""


@pytest.mark.parametrize("isolation", LEVELS)
def test_a_search_that_was_cut_short_tells_what_is_ruled_out(
    monkeypatch: pytest.MonkeyPatch, isolation: str
):
    """As many breaks are told, perhaps of another name, and none that the isolation allows."""
    final = isolation == "strict-serializable"
    histories = [history(*TWISTED)]
    histories += [drawn(Random(number), final=final) for number in range(300)]
    whole = [len(judge_transactions(made, isolation)) for made in histories]
    for looks in (0, 1, 2, 5, 12):
        monkeypatch.setattr(cycles, "_LOOKS", looks)
        cut = [judge_transactions(made, isolation) for made in histories]
        assert [len(found) for found in cut] == whole
        names = {str(one.anomaly) for found in cut for one in found}
        assert isolation != "snapshot" or "G2" not in names
        assert final or not any("-process" in name or "-realtime" in name for name in names)


def test_the_longer_a_search_the_worse_is_what_it_finds(monkeypatch: pytest.MonkeyPatch):
    """Each edge that is followed counts once, and the last that may be is the limit."""
    told = []
    for looks in range(45):
        monkeypatch.setattr(cycles, "_LOOKS", looks)
        told += said("serializable", *TWISTED)
    assert told == ["G2"] * 29 + ["G-nonadjacent"] * 15 + ["G-single"]


@pytest.mark.parametrize(("number", "shown"), [(12, "#8 #9"), (13, "#4 … 5 more … #10")])
def test_many_ids_are_told_in_short(number: int, shown: str):
    """A dozen is shown whole, of more the first and the last four."""
    ids = ",".join(str(one + 1) for one in range(number))
    (found,) = judge_transactions(history(f"0 ok 1-5 a+{ids} a="), "snapshot")
    assert shown in found.lines[0]
