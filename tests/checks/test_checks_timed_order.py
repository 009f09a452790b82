"""Stores that order by the messages' times: what no order excuses, and what it does."""

import numpy as np
import pytest
from histories import history as of_lines

from sessionproof.checks.history import judge_history
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.history.columns import ROW, F, History, Lists, Phase, Type, digest_of

CLAIMS = Claims(order="timestamp", handles="threads")
A, B, C = 1 << 8, 2 << 8, 3 << 8


def history(*steps):
    """A history of (client, f, first id, messages, type, answer) one after the other."""
    rows, kept = np.zeros(len(steps), ROW), []
    for at, (client, f, first, number, sort, answer) in enumerate(steps):
        row = rows[at]
        row["id"], row["client"], row["f"], row["n"] = first, client, f, number
        row["inv"], row["ret"], row["type"], row["value"] = 10 * at + 1, 10 * at + 5, sort, -1
        row["phase"] = Phase.FINAL if at == len(steps) - 1 else Phase.LOAD
        if answer is not None:
            ids = np.asarray(answer, np.uint64)
            row["length"], row["digest"] = len(ids), digest_of(ids)
            row["last"] = ids[-1] if len(ids) else 0
            kept.append((at, ids))
    starts = np.cumsum([0, *(len(ids) for _, ids in kept)])
    lists = Lists(
        np.asarray([at for at, _ in kept]), starts, np.concatenate([ids for _, ids in kept])
    )
    return History(rows, lists, ("s",))


def append(client, first, number=1, sort=Type.OK):
    return (client, F.APPEND, first, number, sort, None)


def read(client, number, *answer):
    return (client, F.READ, number << 8, 0, Type.OK, answer)


def names(*steps):
    judged = judge_history(history(*steps), CLAIMS)
    assert all(one.sentence for one in judged.incidents)
    return {one.anomaly for one in judged.incidents}


def test_a_late_message_may_stand_before_older_ones():
    """A message that is read in front of what was read before it is right here."""
    assert not names(append(1, A), read(2, 9, A), append(2, B), read(2, 10, B, A))


@pytest.mark.parametrize(
    ("anomaly", "steps"),
    [
        (Anomaly.LOST_MESSAGE, [append(1, A), append(2, B), read(3, 9, B)]),
        (Anomaly.DUPLICATE, [append(1, A), read(3, 9, A, A)]),
        (Anomaly.PHANTOM, [append(1, A), read(3, 9, A, C)]),
        (Anomaly.ABORTED_READ, [append(1, A), append(2, B, 1, Type.FAIL), read(3, 9, A, B)]),
        (Anomaly.WRITE_ORDER, [append(1, A), append(1, B), read(3, 9, B, A)]),
        (Anomaly.WRITE_ORDER, [append(1, A, 2), read(3, 9, A + 1, A)]),
        (Anomaly.REORDER, [append(1, A), append(2, B), read(3, 9, A, B), read(3, 10, B, A)]),
    ],
)
def test_what_no_order_excuses_is_found(anomaly, steps):
    """Lost, repeated, unknown and refused messages, and reads that contradict each other."""
    assert names(*steps) == {anomaly}


def test_a_session_that_nobody_read_in_the_end_is_not_judged():
    """Without a final read nothing is said to be lost."""
    judged = judge_history(history(read(1, 8), append(1, A)), CLAIMS)
    assert not judged.incidents
    assert judged.unknown


def found(*lines):
    """What is wrong in a history of these lines, with the rows that show it."""
    return [(one.anomaly, one.rows) for one in judge_history(of_lines(*lines), CLAIMS).incidents]


def test_a_message_of_another_session_is_a_leak():
    """It was sent, and it is where nobody sent it."""
    sent = ("1 append a 0-10 @t", "2 append b 0-10", "9 final read -> a 92-93 @t")
    assert found(*sent, "9 final read -> b a 90-91") == [(Anomaly.LEAK, (3, 0))]
    assert found(*sent, "9 final read -> b 90-91") == []


def test_the_shortest_answer_that_is_wrong_is_shown():
    """What a read that was refused has answered is none."""
    sent, refused = "1 append a 0-10", "2 read -> x 15-18 refused"
    assert found(sent, refused, "9 final read -> a 90-91") == []
    reads = ("2 read -> a x 15-18", "2 read -> x 20-28")
    assert found(sent, *reads, "9 final read -> a 90-91") == [(Anomaly.PHANTOM, (2,))]


def test_orders_are_held_against_reads_and_against_each_client():
    """Both may be wrong in one session."""
    sent = ("1 append a 0-10", "1 append b 12-15", "2 append c 12-15")
    assert found(*sent, "3 read -> a c 20-30", "9 final read -> c b a 90-91") == [
        (Anomaly.REORDER, (3, 4)),
        (Anomaly.WRITE_ORDER, (0, 1, 4)),
    ]


def test_what_is_lost_is_one_incident():
    """The first of the messages is named, and their appends are counted."""
    sent = ("1 append a 0-10", "2 append b c 0-10", "1 append d 20-30")
    (lost,) = judge_history(of_lines(*sent, "9 final read -> d 90-91"), CLAIMS).incidents
    assert (lost.anomaly, lost.rows, lost.flagged) == (Anomaly.LOST_MESSAGE, (0, 3), 2)
    assert len(lost.ids) == 3


def test_each_final_read_has_what_was_acknowledged_before_it():
    """The longest and the others; what asks for the newest few, or came before, is none."""
    sent = ("1 append a 0-10", "2 append b 20-30")
    whole, short = "8 final read -> a b 90-91", "9 final read -> a 92-93"
    assert found(*sent, whole, short) == [(Anomaly.LOST_MESSAGE, (1, 3))]
    empty = "7 final read -> 92-93"
    assert found(*sent, empty, short, whole) == [(Anomaly.LOST_MESSAGE, (1, 3))]
    assert found(*sent, whole, "9 final read_last 1 -> a 92-93") == []
    for earlier in ("15-18", "30-31"):
        assert found(*sent, f"9 final read -> a {earlier}", whole) == []


def test_a_look_at_the_newest_is_no_final_read():
    """It has neither all messages nor their number."""
    steps = ("1 append a 0-10", "1 append b 20-30", "9 final read_last 1 -> b 90-91")
    judged = judge_history(of_lines(*steps, "9 final count -> 2 92-93"), CLAIMS)
    assert not judged.incidents
    assert judged.unknown


@pytest.mark.parametrize("call", ["delete", "clear", "replace b"])
def test_what_a_removal_may_have_taken_is_not_lost(call):
    """Of a removal that was refused nothing goes."""
    left = "9 final read -> b 90-91" if "b" in call else "9 final read -> 90-91"
    assert found("1 append a 0-10", f"1 {call} 20-30", left) == []
    assert found("1 append a 0-10", f"1 {call} 20-?", left) == []
    refused = ("1 append a 0-10", f"1 {call} 20-30 refused", "9 final read -> 90-91")
    assert found(*refused) == [(Anomaly.LOST_MESSAGE, (0, 2))]


def test_a_count_when_all_is_quiet_is_that_of_the_final_read():
    """Before that, messages may come beside it; that there is no session tells no number."""
    load = ("1 append a 0-10", "2 count -> 1 15-18", "2 append b 20-30")
    final = "9 final read -> b a 90-91"
    assert found(*load, final, "9 final count -> 2 92-93") == []
    assert found(*load, final, "9 final count -> missing 92-93") == []
    for wrong in (0, 1, 3):
        counts = ("8 final count -> 2 92-93", f"9 final count -> {wrong} 92-93")
        assert found(*load, final, *counts) == [(Anomaly.COUNTER_DRIFT, (5,))]
