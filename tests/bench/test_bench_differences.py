"""What differs between two counts of an operation: sentences, and which comes first."""

from dataclasses import replace

from sessionproof.bench.tracking.differences import MOST, differences
from sessionproof.contract.causes import Causes, FunctionCost, StatementCost

APPEND = "INSERT INTO messages (sid, body) VALUES (?)"
BUMP = "UPDATE sessions SET last_activity = ? WHERE id = ?"
COUNT = "SELECT count(*) FROM messages WHERE sid = ?"


def causes(**statements):
    """Causes with statements by text: (times, steps) a call."""
    listed = tuple(
        StatementCost(text=globals()[name], times=times, steps=steps)
        for name, (times, steps) in statements.items()
    )
    total = sum(one.steps for one in listed)
    return Causes(operation="append", calls=20, steps=total, statements=listed, connections=0.0)


BASE = replace(causes(APPEND=(1, 100)), bytes_written=4120.0, syncs=1.0)


def profiled(samples=600, **shares):
    """Causes with functions by name and share."""
    functions = tuple(
        FunctionCost(name=f"mystore.db:{name}", share=s) for name, s in shares.items()
    )
    return replace(BASE, functions=functions, samples=samples)


def test_equal_causes_have_no_differences():
    """Nothing is told of a store that does the very same."""
    assert differences(BASE, BASE) == ()


def test_another_statement_is_told_with_its_steps_and_its_text():
    """And one that runs no more, too, the other way round."""
    head = causes(APPEND=(1, 100), BUMP=(1, 42))
    assert differences(causes(APPEND=(1, 100)), head) == (
        f"one statement more a call, 42 steps: {BUMP}",
    )
    assert differences(head, causes(APPEND=(1, 100))) == (f"one statement less a call: {BUMP}",)


def test_a_statement_that_runs_more_often_is_told_with_both_numbers():
    """Also where it is not at each call."""
    base, head = causes(APPEND=(1, 100), BUMP=(1, 42)), causes(APPEND=(1, 100), BUMP=(2.5, 105))
    text = f"a statement runs 2.50 times a call instead of 1: {BUMP}"
    assert differences(base, head) == (text,)


def test_steps_of_the_same_statement_are_told_when_they_grow():
    """A look-up that lost its index has the same text and far more steps."""
    base, head = causes(COUNT=(1, 308)), causes(COUNT=(1, 60_060))
    assert differences(base, head) == (f"a statement takes 60,060 steps instead of 308: {COUNT}",)
    assert differences(base, causes(COUNT=(1, 310))) == ()


def test_a_statement_with_another_text_is_told_as_changed():
    """What runs as often and reads alike is the old one, changed."""
    other = COUNT.replace("count(*)", "count(1)")
    new = StatementCost(text=other, times=1, steps=900)
    head = Causes(operation="append", calls=20, steps=900, statements=(new,), connections=0.0)
    text = f"a statement was changed and takes 900 steps instead of 308: {other}"
    assert differences(causes(COUNT=(1, 308)), head) == (text,)


def test_a_changed_statement_of_equal_cost_is_told_without_steps():
    """Its text is what differs; steps that hardly do, or that nobody counted, are not told."""
    other = COUNT.replace("count(*)", "count(1)")
    new = StatementCost(text=other, times=1, steps=310)
    head = Causes(operation="append", calls=20, steps=310, statements=(new,), connections=0.0)
    assert differences(causes(COUNT=(1, 308)), head) == (f"a statement was changed: {other}",)
    uncounted = replace(head, steps=None, statements=(replace(new, steps=9_000),))
    told = differences(causes(COUNT=(1, 308)), uncounted)
    assert told == (f"a statement was changed: {other}",)


def test_what_is_written_and_synced_is_told():
    """In bytes below a kilobyte and in kilobytes above."""
    head = replace(BASE, bytes_written=8240.0, syncs=2.0)
    assert differences(BASE, head) == (
        "2 syncs a call instead of 1",
        "writes 8.2 kB instead of 4.1 kB a call",
    )
    small = replace(BASE, bytes_written=512.0)
    assert differences(BASE, small) == ("writes 512 bytes instead of 4.1 kB a call",)
    assert differences(BASE, replace(BASE, bytes_written=4200.0)) == ()
    assert differences(replace(BASE, bytes_written=0.0), replace(BASE, bytes_written=0.0)) == ()


def test_connections_and_instructions_are_told():
    """A connection that is opened at each call comes before the statements that it costs."""
    base = replace(BASE, instructions=100_000.0)
    head = replace(causes(APPEND=(1, 100), BUMP=(1, 42)), connections=1.0, instructions=150_000.0)
    assert differences(base, head) == (
        "one connection is opened a call instead of 0",
        f"one statement more a call, 42 steps: {BUMP}",
        "runs 150,000 instructions a call instead of 100,000",
    )


def test_a_function_is_told_where_its_share_changed_beyond_chance():
    """A share out of few samples has to change more than one out of many."""
    base, head = profiled(_recount=0.02, write=0.6), profiled(_recount=0.38, write=0.55)
    assert differences(base, head) == ("38 % of the time in mystore.db:_recount, 2 % before",)
    few = differences(profiled(20, a=0.2), profiled(20, a=0.4))
    assert few == ()


def test_what_grew_comes_first_and_the_dearest_statement_before_others():
    """A reader of the first line alone reads what costs most."""
    base = causes(APPEND=(1, 100), COUNT=(1, 50))
    head = replace(causes(APPEND=(1, 5_000), BUMP=(1, 42)), syncs=1.0)
    told = differences(replace(base, syncs=2.0), head)
    assert told[0].startswith("a statement takes 5,000 steps")
    assert told[1].startswith("one statement more")
    assert told[2].startswith("one statement less")
    assert told[3] == "one sync a call instead of 2"


def test_what_was_not_counted_on_both_sides_is_not_compared():
    """A machine without strace has no opinion on bytes."""
    bare = Causes(operation="append", calls=0, missing={"steps": "no"})
    assert differences(BASE, bare) == differences(bare, BASE) == ()


def test_many_differences_are_counted_and_long_statements_cut():
    """A store that was written anew fills a line each for eight of them."""
    texts = [f"SELECT {'x' * 300} FROM t{number}" for number in "abcdefghijkl"]
    new = tuple(StatementCost(text=text, times=1, steps=1) for text in texts)
    told = differences(BASE, replace(BASE, statements=(*BASE.statements, *new)))
    assert len(told) == MOST + 1
    assert told[-1] == "4 more differences"
    assert max(map(len, told)) < 200
