"""Incidents of concurrent histories as findings with a window."""

import numpy as np

from sessionproof.checks.incidents import Incident
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import NEVER, ROW, F, History, Lists, Phase, Type, digest_of
from sessionproof.trials.windows import Scene, finding_of, window_of, with_history

CONTROL = 2  # clients 0 and 1 work, and client 2 makes sessions and reads at the end


def _row(client, f, inv, ret, *, number=0, kind=Type.OK, phase=Phase.LOAD, **more):
    row = np.zeros((), ROW)
    row["client"], row["f"], row["inv"], row["ret"] = client, f, inv, ret
    row["type"], row["phase"], row["value"], row["id"] = kind, phase, -1, number << 8
    for name, value in more.items():
        row[name] = value
    return row


def _history(rows, answers, *, sessions=("s-a", "s-b"), errors=("",)):
    """Rows as a history; ``answers`` are the ids that rows answered, by place."""
    for at, ids in answers.items():
        rows[at]["length"], rows[at]["digest"] = len(ids), digest_of(np.array(ids, np.uint64))
    flat = [one for ids in answers.values() for one in ids]
    starts = np.cumsum([0, *(len(ids) for ids in answers.values())])
    lists = Lists(np.array([*answers], np.int64), starts, np.array(flat, np.uint64))
    return History(np.array(rows), lists, sessions, errors)


def _lost():
    """Two appends at once, of which one is not there afterwards."""
    rows = [
        _row(0, F.APPEND, 1_000, 5_000, number=1, n=1, value=1),
        _row(1, F.APPEND, 2_000, 6_000, number=2, n=2),
        _row(0, F.APPEND, 7_000, NEVER, number=3, n=1, kind=Type.INFO, error=1),
        _row(2, F.READ, 9_000, 9_500, number=4, phase=Phase.FINAL),
    ]
    incident = Incident(Anomaly.LOST_MESSAGE, 0, (0, 3), "it is not there", (1 << 8,), 1)
    answers = {3: (2 << 8, 2 << 8 | 1)}
    return incident, _history(rows, answers, errors=("", "OSError: disk"))


def test_messages_are_called_by_client_and_place():
    """A label is the client and the place among its messages in the session."""
    scene = Scene(_lost()[1], 0)
    assert [scene.label(1 << 8), scene.label(2 << 8 | 1), scene.label(3 << 8)] == [
        "c1·1", "c2·2", "c1·2",
    ]  # fmt: skip
    assert scene.label(99 << 8) == scene.label(0) == "nobody's"


def test_a_message_of_another_session_names_it():
    """What was sent elsewhere is labelled with its session."""
    rows = [
        _row(0, F.APPEND, 1, 2, number=1, n=1, session=1),
        _row(2, F.READ, 3, 4, number=2, phase=Phase.FINAL),
    ]
    scene = Scene(_history(rows, {1: (1 << 8,)}), 0)
    assert scene.label(1 << 8) == "s-b: 100"


def test_the_window_holds_operations_with_what_they_answered():
    """Intervals count from the first one; guilty ones are marked; unknown ones have no end."""
    window = window_of(*_lost())
    assert window.session == "s-a"
    assert [one.client for one in window.intervals] == ["c1", "c2", "c1", "quiet"]
    assert [one.call for one in window.intervals] == [
        "append(c1·1)", "append(c2·1, c2·2)", "append(c1·2)", "read()",
    ]  # fmt: skip
    assert [one.guilty for one in window.intervals] == [True, False, False, True]
    assert window.intervals[0].began_us == 0.0
    assert window.intervals[2].ended_us is None
    assert [one.said for one in window.intervals] == [
        "number 1", "ok", "OSError: disk", "c2·1, c2·2",
    ]  # fmt: skip
    assert window.left_out == 0
    assert window.order == ("c2·1", "c2·2")


def test_a_client_after_an_unknown_outcome_has_a_stroke():
    """The number under which a client goes on is told from its first."""
    incident, history = _lost()
    history.rows["client"][2] = 0 + CONTROL + 1
    assert window_of(incident, history).intervals[2].client == "c1′"


def test_a_finding_says_what_was_done_expected_and_seen():
    """Its sentences are for people, and name the messages by their labels."""
    finding = finding_of(*_lost(), did="2 threads appended")
    assert finding.did == "2 threads appended"
    assert "acknowledged" in finding.expected
    assert "c1·1" in finding.seen
    kept = with_history(finding, "history/CONC-01-1.npz")
    assert kept.window.history == "history/CONC-01-1.npz"


def test_reads_that_disagree_are_marked_where_they_do():
    """A read is compared with the last one, place by place; prefixes are known by their digest."""
    rows = [
        _row(0, F.APPEND, 1, 2, number=1, n=2),
        _row(1, F.APPEND, 1, 2, number=2, n=1),
        _row(1, F.READ, 3, 4, number=3),
        _row(0, F.READ, 5, 6, number=4),
        _row(2, F.READ, 7, 8, number=5, phase=Phase.FINAL),
    ]
    whole = (1 << 8, 1 << 8 | 1, 2 << 8)
    history = _history(rows, {3: (1 << 8, 2 << 8), 4: whole})
    history.rows["length"][2] = 2
    history.rows["digest"][2] = digest_of(np.array(whole[:2], np.uint64))
    incident = Incident(Anomaly.REORDER, 0, (3, 4), "they disagree")
    window = window_of(incident, history)
    assert [one.labels for one in window.reads] == [
        ("c1·1", "c2·1"), ("c1·1", "c1·2", "c2·1"),
    ]  # fmt: skip
    assert [one.wrong for one in window.reads] == [(1,), ()]
    assert window.intervals[2].said == "c1·1, c1·2"


def test_a_long_session_is_cut_around_the_guilty_operations():
    """At most fifty operations are shown, and reads begin shortly before they disagree."""
    rows = [_row(0, F.APPEND, 10 * at, 10 * at + 5, number=at + 1, n=1) for at in range(200)]
    rows.append(_row(1, F.READ, 3_000, 3_001, number=300))
    rows.append(_row(2, F.READ, 4_000, 4_001, number=301, phase=Phase.FINAL))
    whole = tuple((at + 1) << 8 for at in range(200))
    wrong = (*whole[:150], *whole[151:160])
    incident = Incident(Anomaly.REORDER, 0, (200, 201), "a gap")
    window = window_of(incident, _history(rows, {200: wrong, 201: whole}))
    assert len(window.intervals) == 50
    assert window.left_out == 152
    assert sum(one.guilty for one in window.intervals) == 2
    first, last = window.reads
    assert first.labels[0] == window.order[0] == last.labels[0] == "… 130"
    assert [first.labels[at] for at in first.wrong][:2] == ["c1·152", "c1·153"]
    assert window.order[first.wrong[0]] == "c1·151"


def test_a_stale_read_lacks_what_comes_next():
    """A read that is too short is wrong at the place behind its last message."""
    rows = [
        _row(0, F.APPEND, 1, 2, number=1, n=1),
        _row(0, F.APPEND, 3, 4, number=2, n=1),
        _row(1, F.READ, 5, 6, number=3),
        _row(2, F.READ, 7, 8, number=4, phase=Phase.FINAL),
    ]
    history = _history(rows, {2: (1 << 8,), 3: (1 << 8, 2 << 8)})
    incident = Incident(Anomaly.STALE_READ, 0, (1, 2, 3), "it misses it", (2 << 8,))
    stale, last = window_of(incident, history).reads
    assert (stale.labels, stale.wrong) == (("c1·1",), (1,))
    assert last.wrong == ()
