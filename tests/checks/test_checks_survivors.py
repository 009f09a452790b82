"""What survives a crash is judged as every order of the operations, tried one by one, judges it."""

from dataclasses import replace
from itertools import permutations
from random import Random

import pytest
from crashed_stores import drawn
from every_world import allowed, fits

from sessionproof.checks.survivable import Act, Timeline
from sessionproof.checks.survivors import judge_survivors
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Completed,
    Create,
    Failure,
    Outcome,
    PopLast,
    Read,
)

SAMPLE, PART = 3000, 500


def both(seed):
    """The two opinions of one drawn crash, and all that they are about."""
    random = Random(seed)
    clients = random.choice((1, 1, 2))
    atomic = random.random() < 0.7
    crashed = drawn(random, clients=clients, length=random.randint(0, 6 if clients == 1 else 5))
    timeline = Timeline(crashed.acts, Claims(atomic_batches=atomic))
    flaws = judge_survivors(crashed.shown, timeline, crashed.point)
    good = any(
        fits(world, crashed.shown) for world in allowed(crashed.acts, crashed.point, atomic=atomic)
    )
    return flaws, good, crashed


@pytest.mark.parametrize("first", range(0, SAMPLE, PART))
def test_the_judge_and_every_order_agree(first):
    """A state has a flaw if and only if no order of the operations explains what is shown."""
    for seed in range(first, first + PART):
        flaws, good, crashed = both(seed)
        assert (not flaws) == good, f"seed {seed}: {good=}\n{flaws}\n{crashed}"


def test_the_sample_is_neither_all_good_nor_all_bad():
    """Of drawn crashes, a fifth at least is good, and a fifth at least is not."""
    good = sum(both(seed)[1] for seed in range(400))
    assert 80 <= good <= 320


REFUSED = Outcome("fail", failure=Failure("NotFound", "no such session"))


def act(operation, asked, answered, outcome=None, *, client=0, order=()):
    """One operation of a client, answered as it should be if nothing else is said."""
    done = Completed(operation, outcome or Outcome("ok"), "s0")
    return Act(client=client, done=done, asked=asked, answered=answered, order=order)


def append(texts, asked, answered, outcome=None, **more):
    """An append of messages with these letters."""
    return act(Append("s0", says(texts)), asked, answered, outcome, **more)


def says(texts):
    """Messages with these letters."""
    return tuple(Message("user", one) for one in texts)


WHOLE, LOOSE = Claims(atomic_batches=True), Claims(atomic_batches=False)


def left(point, *acts, claims=WHOLE):
    """The texts of the session in each world that a crash may leave, acknowledged ones first."""
    found = Timeline(acts, claims).at(point)
    return [
        {"".join(one.content for one in world["s0"].messages) for world in worlds if "s0" in world}
        for worlds in (found.acknowledged, found.worlds)
    ]


def test_what_was_refused_is_nowhere_at_any_point():
    """Neither in flight nor afterwards; what was taken may be there once it was asked for."""
    first = append("ab", -1, 1)
    refused, taken = append("cd", 1, 3, REFUSED), append("cd", 1, 3)
    assert [left(point, first, refused) for point in (2, 4)] == [[{"ab"}, {"ab"}]] * 2
    assert left(2, first, taken) == [{"ab"}, {"ab", "abcd"}]
    assert left(4, first, taken) == [{"abcd"}, {"abcd"}]


def test_what_may_survive_is_worked_out_once_for_all_points_of_a_moment():
    """Between two answers nothing changes; at the next answer it does."""
    timeline = Timeline((append("ab", -1, 1), append("cd", 3, 7)), WHOLE)
    assert timeline.at(4) is timeline.at(7)
    assert timeline.at(7) is not timeline.at(8)


def test_an_answer_that_contradicts_all_before_it_changes_no_more_than_it_says():
    """The store was wrong before the crash: another check says so, and this one goes on."""
    first, more = append("ab", -1, 1), append("cd", 3, 5)
    for wrong in (Outcome("ok", ()), REFUSED):
        read = act(Read("s0"), 1, 3, wrong)
        assert left(4, first, read) == [{"ab"}, {"ab"}]
        assert left(6, first, read, more) == [{"abcd"}, {"abcd"}]


def test_the_order_that_was_read_is_the_order_that_stays():
    """Of two that ran side by side; where one still runs, or it fits none, any order is right."""
    one = append("a", -1, 3)
    for order, worlds in (((), {"ab", "ba"}), (("b", "a"), {"ba"}), (("x",), {"ab", "ba"})):
        other = append("b", -1, 5, client=1, order=order)
        assert left(6, one, other) == [worlds, worlds]
    early = append("a", -1, 3, order=("b", "a"))
    still = left(4, early, append("b", -1, 5, client=1))
    assert still == [{"a", "ba"}, {"a", "ab", "ba"}]


def test_those_that_ran_side_by_side_stand_in_any_order_until_it_is_read():
    """Whichever was answered first."""
    three = [append(text, -1, at, client=at) for text, at in (("a", 7), ("b", 5), ("c", 3))]
    orders = {"".join(order) for order in permutations("abc")}
    assert left(8, *three) == [orders, orders]
    read = act(Read("s0"), 7, 9, Outcome("ok", says("bca")))
    assert left(10, *three, read) == [{"bca"}, {"bca"}]


def test_an_answer_tells_when_an_operation_took_effect():
    """Until it comes, what was popped is open."""
    first = append("ab", -1, 1)
    popped = act(PopLast("s0"), 1, 7, Outcome("ok", *says("c")))
    beside = append("c", 1, 5, client=1)
    assert left(6, first, popped, beside) == [{"abc", "ac"}, {"abc", "ab", "ac"}]
    assert left(8, first, popped, beside) == [{"ab"}, {"ab"}]


def test_of_a_batch_that_need_not_be_whole_every_beginning_may_be_there():
    """Of an append from its first message on, of a new session also without any; of no other."""
    first, more = append("ab", -1, 1), append("cde", 1, 3)
    beginnings = {"ab", "abc", "abcd", "abcde"}
    assert left(2, first, more, claims=LOOSE) == [{"ab"}, beginnings]
    assert left(4, first, more, claims=LOOSE) == [{"abcde"}, {"abcde"}]
    made = act(Create("s0", says("abc")), -1, 1)
    assert left(0, made, claims=LOOSE) == [set(), {"", "a", "ab", "abc"}]
    assert left(2, first, act(PopLast("s0"), 1, 3), claims=LOOSE) == [{"ab"}, {"ab", "a"}]


def test_an_append_that_had_to_be_refused_is_not_owed():
    """Nor may it be there: the store claims that there is no such session."""
    refuses = replace(WHOLE, missing_session="refuses")
    assert left(2, append("ab", -1, 1), claims=refuses) == [set(), set()]
