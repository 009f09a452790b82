"""An execution as a table: every step in its order and column, and what came of each operation."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise

import pytest
from toy_runs import A, Crossed, Plain, R, Torn, judge, program, runner_of, step

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.errors import Conflict
from sessionproof.contract.verdicts import ScheduleStep
from sessionproof.history.columns import MISSING, F, History, Type, no_lists
from sessionproof.history.notes import Notes, history_of
from sessionproof.history.tokens import text_of
from sessionproof.schedule.decisions import QUIET, Key, Point, Step
from sessionproof.schedule.folding import ROWS_MOST, folded, marked
from sessionproof.schedule.found import Found, Wrong
from sessionproof.schedule.locks import controlled_threads, sleep
from sessionproof.schedule.plain import counts_of, done_of, last_of, letters_of
from sessionproof.schedule.program import Run
from sessionproof.schedule.strategies import RandomWalk, Replay
from sessionproof.schedule.table import drawn, table_of, told
from sessionproof.schedule.table_text import lines_of
from sessionproof.workload.rounds import Call

BATCH = Call(F.APPEND, 0, 3)


@pytest.fixture
def runs(tmp_path):
    """Runs a program on a store, fresh, under a strategy."""
    with controlled_threads():
        opened = []

        def run(store, made, strategy):
            opened.append(runner_of(store, root=tmp_path))
            return opened[-1].run(made, strategy, fresh=True)

        yield run
        for one in opened:
            one.close()


def lost(runs, made=None):
    """A lost update, replayed: after the read of client 1, client 2 does all of its append."""
    made = made or program([A], [A])
    run = runs(Torn, made, Replay(((Key(0, made.clients[0][0][0], 2), 1),)))
    return Found(made, run.decisions, run, judge(run), 1, 0.0, "replay")


def told_rows(table):
    return [(one.client, one.kind, one.said) for one in table.steps]


def test_a_lost_update_row_by_row(runs):
    """Beginnings, steps, where a client is stopped, and ends with their answers, in one order."""
    table = table_of(lost(runs))
    assert told_rows(table) == [
        ("client 1", "begin", "append a"),
        ("client 1", "stopped", "write"),
        ("client 2", "begin", "append b"),
        ("client 2", "step", "write"),
        ("client 2", "end", "append b acknowledged"),
        ("client 1", "step", "write"),
        ("client 1", "end", "append a acknowledged"),
    ]
    assert [one.switched for one in table.steps] == [False, False, True, False, False, True, False]
    assert table.clients == ("client 1", "client 2")
    assert table.interruptions == 1
    assert table.after == ("when all is quiet: a",)
    assert {one.operation for one in table.steps} == {"1.1", "2.1"}
    ends = [one for one in table.steps if one.kind == "end"]
    assert [one.matters for one in ends] == [True, False]  # the lost one is of client 2
    assert "b" in table.sentence.split()
    assert "#" not in table.sentence


def test_every_step_is_there_in_its_order(runs):
    """For many random schedules the rows are the steps of the execution, none left out or moved."""
    made = program([A, R], [A, A], [R])
    for seed in range(30):
        run = runs(Torn, made, RandomWalk(seed))
        rows = drawn(made, run).steps
        shown = [one for one in rows if one.kind in ("begin", "step")]
        assert sum(one.times for one in shown) == len(run.steps)
        spread = [one.client for one in shown for _ in range(one.times)]
        assert spread == [f"client {one.key.task + 1}" for one in run.steps]
        assert sum(one.kind == "end" for one in rows) == made.operations
        open_ = set()
        for one in rows:  # an operation begins, has steps, and ends
            if one.kind == "begin":
                assert one.operation not in open_
                open_.add(one.operation)
            elif one.kind in ("end", "step"):
                assert one.operation in open_
                open_ -= {one.operation} if one.kind == "end" else set()
        assert not open_
        for earlier, later in pairwise(rows):
            assert later.switched == (earlier.client != later.client)


def test_ends_stand_where_they_were(runs):
    """An operation ends before another begins if, and only if, it did in the history."""
    made = program([A, R], [R, A])
    for seed in range(30):
        run = runs(Torn, made, RandomWalk(seed))
        events = [(one.kind, one.operation) for one in drawn(made, run).steps]
        done = {f"{one.client + 1}.{at}": one for one, at in _numbered(done_of(made, run))}
        for name, one in done.items():
            for other, two in done.items():
                before = events.index(("end", name)) < events.index(("begin", other))
                assert not (name != other and before and one.ended > two.began)
                if one.ended < two.began:
                    assert before


def _numbered(done):
    count = {}
    for one in done:
        count[one.client] = count.get(one.client, 0) + 1
        yield one, count[one.client]


def test_what_came_first_has_letters_too(runs):
    """Calls before the clients are listed, and their messages are the first letters."""
    made = program([A, R], [BATCH], before=[A, A])
    assert list(letters_of(made).values()) == [*"abcdef"]
    table = drawn(made, runs(Plain, made, RandomWalk(1)))
    assert table.before == ("append a", "append b")
    said = [one.said for one in table.steps]
    assert "append d e f" in said
    assert any(one.startswith("read answered a b") for one in said)


def test_a_deadlock_says_who_waits_for_what(runs):
    """The two locks have numbers, both clients wait for ever, and what never ended is named."""
    made = program([A], [R])
    table = None
    for seed in range(100):
        run = runs(Crossed, made, RandomWalk(seed))
        wrong = judge(run)
        if wrong is not None:
            table = table_of(Found(made, run.decisions, run, wrong, seed, 0.0, "random"))
            break
    assert table is not None
    waits = [one for one in table.steps if one.kind == "waits" and "for ever" in one.said]
    assert {one.client for one in waits} == {"client 1", "client 2"}
    assert len({one.said for one in waits}) == 2
    assert "1.1 append a never ended" in table.after
    assert "2.1 read never ended" in table.after
    assert "client 0" not in table.sentence


def test_a_repeated_attempt_has_a_beginning_and_an_end_of_its_own(runs):
    """What is refused with a conflict ends as refused, and begins once more after a pause."""

    class Picky(Plain):
        """Refuses the first append of each location."""

        refused = frozenset()

        def append(self, session, messages):
            step("try")
            place = (id(self.here), session)
            if session.startswith("e") and place not in self.refused:
                type(self).refused |= {place}
                raise Conflict("not now")
            super().append(session, messages)

    made = program([A], [R])
    run = runs(Picky, made, RandomWalk(3))
    mine = [one for one in drawn(made, run).steps if one.client == "client 1"]
    kinds = [one.kind for one in mine if one.kind in ("begin", "end")]
    assert kinds == ["begin", "end", "begin", "end"]
    ends = [one.said for one in mine if one.kind == "end"]
    assert ends[0].startswith("append a refused")
    assert ends[1] == "append a acknowledged"
    (one,) = [one for one in done_of(made, run) if one.call == "append"]
    assert one.outcome == "ok"  # the refused attempt is not there as one that must not be read


def test_threads_of_the_store_have_columns(runs):
    """What the store begins stands behind the clients, under a name of its own."""

    class Helped(Plain):
        """Writes in a thread that each append begins."""

        def append(self, session, messages):
            def write():
                step("in a thread", session)
                Plain.append(self, session, messages)

            helper = threading.Thread(target=write)
            helper.start()
            helper.join()

    made = program([A], [R])
    table = drawn(made, runs(Helped, made, RandomWalk(2)))
    assert table.clients[:2] == ("client 1", "client 2")
    assert table.clients[2] == "store's thread 1"
    assert ("store's thread 1", "step", "in a thread") in told_rows(table)
    assert (
        drawn(made, runs(Helped, made, RandomWalk(2)), kind="tasks")
        .clients[2]
        .startswith("store's task")
    )


def test_who_sleeps_waits_and_is_not_stopped(runs):
    """A client that lets time pass is told to wait, whoever goes on."""

    class Naps(Plain):
        def append(self, session, messages):
            sleep(0.5)
            super().append(session, messages)

    made = program([A], [R])
    table = drawn(made, runs(Naps, made, Replay(())))
    kinds = {one.kind for one in table.steps if one.said.startswith("sleep")}
    assert kinds == {"waits", "step"}
    assert table.interruptions == 0


# What rows are put together, of rows made by hand.


def row(client, said, *, kind="step", switched=False, on=("db", "path"), writes=False):
    """A row with its step."""
    made = ScheduleStep(client=f"client {client}", kind=kind, said=said, switched=switched)
    return made, Step(Key(client - 1, client, 1), Point(said, on, writes), switched)


def test_setting_up_and_repeating_is_one_row():
    """Pragmas in a row, the same step again, and a fetch behind its statement become one row."""
    rows = [
        row(1, "connect"), row(1, "PRAGMA a"), row(1, "fetch: PRAGMA a"), row(1, "SELECT 1"),
        row(1, "fetch: SELECT 1"), row(1, "INSERT"), row(1, "INSERT"), row(1, "COMMIT"),
    ]  # fmt: skip
    assert [(one.said, one.times) for one in folded(rows)] == [
        ("connect, … PRAGMA a", 3), ("SELECT 1", 2), ("INSERT", 2), ("COMMIT", 1),
    ]  # fmt: skip


def test_nothing_is_put_together_across_a_switch():
    """The same step of another client, after a switch, or on another thing stays alone."""
    rows = [
        row(1, "INSERT"), row(2, "INSERT", switched=True), row(1, "INSERT", switched=True),
        row(1, "INSERT", on=("db", "other")),
    ]  # fmt: skip
    assert len(folded(rows)) == 4


def test_long_tables_keep_what_matters():
    """Beyond a length, only rows that matter stay alone; the count of steps stays the same."""
    rows = [row(1, f"SELECT {at}") for at in range(2 * ROWS_MOST)]
    rows[ROWS_MOST] = (replace(rows[ROWS_MOST][0], matters=True), rows[ROWS_MOST][1])
    out = folded(rows)
    assert [one.times for one in out] == [ROWS_MOST, 1, ROWS_MOST - 1]
    assert len(folded(rows[:ROWS_MOST])) == ROWS_MOST


def test_what_others_could_notice_is_marked():
    """Writes to what two touch, and the steps at a switch; not what one alone touches."""
    rows = [
        row(1, "INSERT own", on=("db", "own"), writes=True), row(1, "INSERT", writes=True),
        row(1, "SELECT a"), row(1, "SELECT b"),
        row(2, "SELECT c", switched=True), row(2, "SELECT d"), row(2, "PRAGMA x", writes=True),
        row(2, "SELECT e"), row(1, "SELECT f", switched=True),
        row(1, "go on", on="the loop", writes=True), row(1, "SELECT g"),
        row(2, "SELECT h", switched=True), row(2, "go on", on="the loop", writes=True),
    ]  # fmt: skip
    matters = {one.said for one, _ in marked(rows) if one.matters}
    assert matters == {
        "INSERT", "SELECT b", "SELECT c", "SELECT e", "SELECT f", "SELECT g", "SELECT h",
    }  # fmt: skip


# What came of operations, of histories made by hand.


def noted(*calls, clients=2, sent=True):
    """A program and a run in which client 0 made these calls with these completions."""
    made = program(*([call for call, _ in calls], *[[]] * (clients - 1)))
    notes = Notes(0, iter(range(1, 1_000)).__next__, lambda _: None)
    steps = []
    for (number, call), (_, complete) in zip(made.clients[0], calls, strict=True):
        slot = notes.invoke(call.f, call.session, number * 256, call.n)
        steps.append(Step(Key(0, number, 1), Point(call.f.name.lower(), "operation"), False))
        complete(notes, slot)
    history = history_of([notes], ("s0",))
    return made, Run((), tuple(steps), history)


def test_answers_in_words():
    """Refused, unknown, missing, counted and numbered answers are told as what they are."""
    made, run = noted(
        (A, lambda notes, slot: notes.complete(slot, Type.OK, 0, 7)),
        (A, lambda notes, slot: notes.complete(slot, Type.FAIL, error="TooLarge: no")),
        (A, lambda notes, slot: notes.complete(slot, Type.INFO, error="ValueError: x\ny")),
        (R, lambda notes, slot: notes.complete(slot, Type.OK, MISSING)),
        (R, lambda notes, slot: notes.answered(slot, [text_of(256), "what nobody sent"])),
        (R, lambda notes, slot: notes.answered(slot, [])),
        (Call(F.COUNT, 0), lambda notes, slot: notes.complete(slot, Type.OK, 2, 9)),
        (Call(F.COUNT, 0), lambda notes, slot: notes.complete(slot, Type.OK, 2)),
        (Call(F.PAGES, 0, 2), lambda notes, slot: notes.answered(slot, [text_of(512)])),
        (A, lambda notes, slot: None),
    )
    table = drawn(made, run)
    assert [one.said for one in table.steps if one.kind == "end"] == [
        "append a acknowledged, number 7",
        "append b refused: TooLarge: no",
        "append c ended, nobody knows how: ValueError: x y",
        "read answered: no such session",
        "read answered a nobody's",
        "read answered nothing",
        "count answered 2, 9 tokens",
        "count answered 2",
        "pages(2) answered b",
    ]
    assert "1.10 append d never ended" in table.after
    done = done_of(made, run)
    assert [one.outcome for one in done] == [
        "ok", "refused", "unknown", "refused", "ok", "ok", "ok", "ok", "ok", "unknown",
    ]  # fmt: skip
    assert [one.answer for one in done] == [
        [7], None, None, None, ["a", "nobody's"], [], (2, 9), (2, None), ["b"], None,
    ]  # fmt: skip
    assert last_of(made, run) == []
    assert counts_of(run) == []


def test_sentences_of_checks_get_letters_and_columns():
    """Ids become letters, clients are counted from 1; after an unknown outcome it is the same."""
    made = program([A], [A])
    sentence = "client 1's append of #200 ended; client 3 appended #100; client 2 read #abc"
    assert told(made, sentence) == (
        "client 2's append of b ended; client 1 appended a; the quiet one read #abc"
    )


def test_letters_go_on_behind_z():
    """The 27th message is a2, and no two have one letter."""
    made = program([Call(F.APPEND, 0, 60)])
    letters = [*letters_of(made).values()]
    assert letters[25:28] == ["z", "a2", "b2"]
    assert len(set(letters)) == 60


def test_nothing_is_a_table_too():
    """An execution in which nothing happened has no rows, and is no error."""
    made = program([A], [A])
    empty = Run((), (), History(history_of([], ()).rows, no_lists(), ("s0",), ("",)))
    table = drawn(made, empty, "nothing")
    assert table.steps == ()
    assert lines_of(table)[-1] == "wrong: nothing"


def test_steps_of_who_prepares_are_left_out():
    """The one who prepares and reads is no client, and has no column."""
    made = program([A], [A])
    steps = (Step(Key(QUIET, 0, 1), Point("x"), False), Step(Key(1, 2, 1), Point("y"), True))
    table = drawn(made, Run((), steps, history_of([], ())))
    assert table.clients == ("client 2",)
    assert [one.said for one in table.steps] == ["y"]


def test_what_is_known_of_a_finding_is_in_its_table(runs):
    """Line points and a lack of control are told below the table."""
    found = replace(lost(runs), lines=True)
    found = replace(found, run=replace(found.run, controlled=False))
    table = table_of(found)
    assert (table.lines, table.controlled) == (True, False)
    lines = lines_of(table)
    assert lines[-2].startswith("found between lines")
    assert lines[-1].startswith("not controlled")
    other = replace(found, wrong=Wrong(Anomaly.LOST_MESSAGE, "client 0 lost #100"))
    assert table_of(other).sentence == "client 1 lost a"
