"""The search: which orders explain, what is said of those that do not, and its limits."""

from dataclasses import replace

import histories
import numpy as np
import pytest
from drawn_histories import Drawn, history_of
from simulated_store import FAIL, INFO, Act, Store

from sessionproof.checks import search
from sessionproof.checks.search import judge_session
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import NEVER, F, History, Phase

OPERATIONS = {
    "append": F.APPEND,
    "read": F.READ,
    "last": F.READ_LAST,
    "count": F.COUNT,
    "pages": F.PAGES,
    "create": F.CREATE,
    "delete": F.DELETE,
    "clear": F.CLEAR,
    "replace": F.REPLACE,
}


def acts(*lines: str) -> tuple[Act, ...]:
    """Lines as "1 0-5 append 2:1" (client, time, message 2 of one), "2 6-7 read 2 3", "... fail".

    Messages are numbers of operations; "4:2" is a batch of two, whose second message is "4.1".
    """
    out = []
    for at, line in enumerate(lines, 100):
        client, time, verb, *rest = line.split()
        inv, _, ret = time.partition("-")
        kind = {"fail": FAIL, "info": INFO}.get(rest[-1] if rest else "")
        rest = rest[:-1] if kind is not None else rest
        final, verb = verb.startswith("final-"), verb.removeprefix("final-")
        end = int(ret) if ret else NEVER
        missing = rest == ["missing"]
        common = {"inv": int(inv), "ret": end, "missing": missing, "final": final}
        common |= {"type": kind} if kind is not None else {}
        f = OPERATIONS[verb]
        if f in (F.APPEND, F.REPLACE) and rest and not missing:
            number, _, n = rest[0].partition(":")
            value = {"value": int(rest[1])} if rest[1:] else {}
            act = Act(f, int(client), int(number) << 8, n=int(n or 1), **value, **common)
        elif f == F.COUNT:
            count = 0 if missing else int(rest[0])
            act = Act(f, int(client), at << 8, count=count, **common)
        elif f in (F.READ, F.PAGES, F.READ_LAST):
            n = int(rest.pop(0)) if f == F.READ_LAST else 0
            ids = () if missing or kind is not None else tuple(map(_id, rest))
            act = Act(f, int(client), at << 8, n=n, answer=ids, **common)
        else:
            act = Act(f, int(client), at << 8, **common)
        out.append(act)
    return tuple(out)


def _id(text: str) -> int:
    number, _, place = text.partition(".")
    return (int(number) << 8) + int(place or 0)


def history(*lines: str, kept: bool = True) -> History:
    some = acts(*lines)
    places = [at for at, act in enumerate(some) if act.answer is not None and (kept or act.final)]
    return history_of(Drawn(Store(), some, kept=frozenset(places)))


def judged(*lines: str, kept: bool = True, **how):
    how = {"creates": True, "limit_s": 10.0} | how
    return judge_session(history(*lines, kept=kept), 0, **how)


def names(*lines: str, **how) -> set[Anomaly]:
    return {incident.anomaly for incident in judged(*lines, **how).incidents}


GOOD = {
    "an append of unknown fate may be there": ("1 0- append 1 info", "2 5-6 read 1"),
    "it may be missing": ("1 0- append 1 info", "2 5-6 read"),
    "it may come late": ("1 0- append 1 info", "2 5-6 read", "2 7-8 read 1"),
    "what touches in time may be in either order": ("1 0-5 append 1", "2 5-9 read"),
    "a clear of unknown fate": ("1 0-1 append 1", "2 2- clear info", "3 5-6 read 1", "3 7-8 read"),
    "what is appended after a clear": (
        "1 0-1 append 1",
        "1 2-3 clear",
        "1 4-5 append 2",
        "2 6-7 read 2",
    ),
    "a clear beside an append": ("1 0-9 append 1", "2 0-9 clear", "3 10-11 read 1"),
    "an emptied session may be unknown": (
        "1 0-1 append 1",
        "1 2-3 clear",
        "2 4-5 read missing",
        "2 6-7 read",
    ),
    "a session comes back after its deletion": (
        "1 0-1 append 1",
        "1 2-3 delete",
        "2 4-5 count missing",
        "1 6-7 append 2",
        "2 8-9 count 1",
    ),
    "a replacement": ("1 0-1 append 1", "1 2-3 replace 2:2", "2 4-5 read 2 2.1"),
    "a creation of what is there, before it is read": (
        "1 0-1 append 1",
        "2 2-3 create",
        "3 4-5 read 1",
    ),
    "a window of the newest": ("1 0-1 append 1:3", "2 2-3 last 2 1.1 1.2"),
    "a refused append is sent again": ("1 0-1 append 1 fail", "1 2-3 append 1", "2 4-5 read 1"),
    "pages while something is removed show no single moment": (
        "1 0-1 append 1:2",
        "2 2-9 pages 1 1.1 1",
        "3 3-8 clear",
    ),
}

BAD = {
    "lost": (Anomaly.LOST_MESSAGE, "1 0-1 append 1", "2 2-3 final-read"),
    "lost while another clears elsewhere in time": (
        Anomaly.LOST_MESSAGE,
        "1 0-1 clear",
        "1 2-3 append 1",
        "2 4-5 final-read",
    ),
    "stale": (Anomaly.STALE_READ, "1 0-1 append 1", "2 2-3 read", "3 4-5 final-read 1"),
    "own write": (Anomaly.READ_YOUR_WRITES, "1 0-1 append 1", "1 2-3 read", "3 4-5 final-read 1"),
    "cleared and back": (
        Anomaly.RESURRECTION,
        "1 0-1 append 1",
        "1 2-3 clear",
        "2 4-5 read 1",
    ),
    "deleted and back": (Anomaly.RESURRECTION, "1 0-1 append 1", "1 2-3 delete", "2 4-5 read 1"),
    "replaced and back": (
        Anomaly.RESURRECTION,
        "1 0-1 append 1",
        "1 2-3 replace 2",
        "2 4-5 read 1 2",
    ),
    "twice": (Anomaly.DUPLICATE, "1 0-1 append 1", "2 2-3 read 1 1"),
    "torn": (Anomaly.TORN_BATCH, "1 0-1 append 1:2", "2 2-3 final-read 1.1"),
    "seen in the middle": (
        Anomaly.INTERMEDIATE_READ,
        "1 0-9 append 1:2",
        "2 2-3 read 1",
        "3 10-11 final-read 1 1.1",
    ),
    "refused and there": (Anomaly.ABORTED_READ, "1 0-1 append 1 fail", "2 2-3 read 1"),
    "from nowhere": (Anomaly.PHANTOM, "1 0-1 append 1", "2 2-3 read 1 77"),
    "from another session": (Anomaly.LEAK, "1 0-1 append 1", "2 2-3 read 1 30464"),
    "too early": (Anomaly.FUTURE_READ, "2 0-1 read 1", "1 2-3 append 1", "3 4-5 final-read 1"),
    "two orders": (
        Anomaly.REORDER,
        "1 0-9 append 1",
        "2 0-9 append 2",
        "3 10-11 read 1 2",
        "3 12-13 read 2 1",
    ),
    "against time": (
        Anomaly.REAL_TIME,
        "1 0-1 append 1",
        "2 2-3 append 2",
        "3 4-5 final-read 2 1",
    ),
    "against its own client": (
        Anomaly.WRITE_ORDER,
        "1 0-1 append 1",
        "1 2-3 append 2",
        "3 4-5 final-read 2 1",
    ),
    "a count": (Anomaly.COUNTER_DRIFT, "1 0-1 append 1", "2 2-3 count 2", "3 4-5 final-read 1"),
    "a session that is gone": (Anomaly.LOST_SESSION, "1 0-1 append 1", "2 2-3 final-read missing"),
    "a created session that is unknown": (
        Anomaly.LOST_SESSION,
        "1 0-1 create",
        "2 2-3 final-read missing",
    ),
}


@pytest.mark.parametrize("lines", GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("kept", [True, False], ids=["lists", "digests"])
def test_what_an_order_explains(lines, kept):
    """What some order explains is no incident, with lists and with digests alone."""
    said = judged(*lines, kept=kept)
    assert not said.incidents
    assert not said.unknown
    assert said.level == "linearizable"


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_what_no_order_explains_has_its_name(case):
    """What no order explains is told by its finest name."""
    anomaly, *lines = case
    assert anomaly in names(*lines)


def test_a_store_that_refuses_unknown_sessions():
    """An append to a missing session contradicts a store that refuses it, not one that creates."""
    lines = ("1 0-1 create", "1 2-3 delete", "1 4-5 append 1", "2 6-7 read 1")
    assert not judged(*lines).incidents
    assert judged(*lines, creates=False).incidents
    made_late = ("1 0-1 append 1", "1 2-3 create")
    assert judged(*made_late, creates=False).incidents


def test_a_session_may_have_been_there_before():
    """Without a creation in the history, a session of a store that refuses may have been there."""
    assert not judged("1 0-1 append 1", "2 2-3 read 1", creates=False).incidents


def test_batches_that_need_not_be_whole():
    """A part of a batch is seen where batches are not atomic; their order stays."""
    part = ("1 0-9 append 1:2", "2 2-3 read 1", "3 10-11 final-read 1 1.1")
    assert not judged(*part, atomic=False).incidents
    turned = ("1 0-9 append 1:2", "3 10-11 final-read 1.1 1")
    assert names(*turned, atomic=False) == {Anomaly.WRITE_ORDER}
    assert Anomaly.WRITE_ORDER not in names(*turned)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((7, 8), None),
        ((7, 7), Anomaly.DUPLICATE_SEQUENCE),
        ((8, 7), Anomaly.SEQUENCE_GAP),  # the first one has the second number
        ((7, 9), Anomaly.SEQUENCE_GAP),
    ],
)
def test_numbers_follow_from_places(numbers, said):
    """Numbers rise by one from the declared start; what they contradict is named."""
    one, other = numbers
    lines = (f"1 0-1 append 1 {one}", f"1 2-3 append 2 {other}", "2 4-5 final-read 1 2")
    assert names(*lines, start=7) == ({said} if said else set())
    assert not judged(*lines).incidents


def test_numbers_rise_after_a_removal():
    """After a removal, numbers need not follow from places, but they rise."""
    lines = ("1 0-1 append 1 0", "1 2-3 clear", "1 4-5 append 2 {}", "1 6-7 append 3 {}")
    rising = [line.format(at) for line, at in zip(lines, (0, 0, 5, 9), strict=True)]
    falling = [line.format(at) for line, at in zip(lines, (0, 0, 9, 5), strict=True)]
    assert not judged(*rising, "2 8-9 read 2 3", start=0).incidents
    assert names(*falling, "2 8-9 read 2 3", start=0) == {Anomaly.SEQUENCE_ORDER}


def test_an_append_of_unknown_fate_may_take_a_number():
    """A number may be missing where an append without an outcome may have taken it."""
    lines = ("1 0-1 append 1 0", "3 0- append 9 info", "1 2-3 append 2 2", "2 4-5 final-read 1 2")
    assert not judged(*lines, start=0).incidents
    assert judged(lines[0], *lines[2:], start=0).incidents


def test_the_smallest_contradiction_is_told():
    """Operations that have nothing to do with a contradiction are not in its incident."""
    lines = (
        "1 0-1 append 1",
        "1 2-3 clear",
        "2 4-5 append 2",
        "2 6-7 append 3",
        "3 8-9 count 2",
        "3 10-11 clear",
        "4 12-13 append 4",
        "3 14-15 count 5",
        "3 16-17 append 5",
        "5 18-19 final-read 4 5",
    )
    (incident,) = judged(*lines).incidents
    assert incident.anomaly is Anomaly.COUNTER_DRIFT
    assert incident.rows[0] == 7
    assert len(incident.rows) < len(lines)
    assert "count by client 3 (5 messages)" in incident.sentence


def test_only_real_time_between_clients_is_broken():
    """The level is that of single clients where nothing else is wrong."""
    stale = ("1 0-1 append 1", "2 2-3 read", "2 4-5 read 1", "3 6-7 final-read 1")
    assert judged(*stale).level == "session"
    own = ("1 0-1 append 1", "1 2-3 read", "3 6-7 final-read 1")
    assert judged(*own).level == "none"


def test_past_its_limit_nothing_is_said(monkeypatch):
    """A search that ran out of time is unknown, with a reason, and never holds."""
    monkeypatch.setattr(search, "_LOOK", 2)
    said = judged(*(f"{at} 0-9 append {at}" for at in range(1, 9)), "9 3-4 count 3", limit_s=-1.0)
    assert not said.incidents
    assert said.unknown == ("session s0: 9 operations not explained within -1 s",)


def test_a_session_without_a_name_is_told_by_its_number(monkeypatch):
    """A history may have no names."""
    monkeypatch.setattr(search, "_LOOK", 1)
    one = replace(history("1 0-9 append 1", "2 0-9 append 2", "3 3-4 count 3"), sessions=())
    said = judge_session(one, 0, creates=True, limit_s=-1.0)
    assert said.unknown == ("session 0: 3 operations not explained within -1 s",)


def test_the_time_is_shared_among_what_is_asked(monkeypatch):
    """A fifth for each cause, most of the rest for the smallest part, what is left for clients."""
    asked = []

    def remembered(name):
        real = getattr(search, name)

        def one(*args, limit_s, **how):
            asked.append((name, round(limit_s, 3)))
            monkeypatch.setattr(search, "explained", search_itself)
            found = real(*args, limit_s=limit_s, **how)
            monkeypatch.setattr(search, "explained", remember)
            return found

        return one

    search_itself = search.explained
    remember = remembered("explained")
    monkeypatch.setattr(search, "monotonic_s", lambda: 5.0)
    monkeypatch.setattr(search, "explained", remember)
    monkeypatch.setattr(search, "smallest", remembered("smallest"))
    lines = ("1 0-1 append 1", "1 2-3 create", "2 4-5 count 1")
    judged(*lines, creates=False, limit_s=0.5)
    causes = [("explained", 0.1)] * 3
    assert asked == [("explained", 0.5), *causes, ("smallest", 0.35), ("explained", 0.5)]


def test_wrong_tokens_are_not_wrong_numbers():
    """Where both are wrong, it is not the numbers alone that explain it."""
    lines = (
        "1 append a -> 0 0-1",
        "1 append b -> 0 2-3",
        "2 count -> 2/99 4-5",
        "9 final read -> a b 6-7",
    )
    said = judge_session(histories.history(*lines), 0, creates=True, limit_s=1.0, start=0)
    assert [one.anomaly for one in said.incidents] == [Anomaly.COUNTER_DRIFT]


def test_what_is_examined_is_counted():
    """Operations, reads and appends of the session are counted, and no others."""
    said = judged("1 0-1 append 1:2", "2 2-3 read 1 1.1", "2 4-5 count 2", "3 6- append 4 info")
    assert said.examined == {"operations": 4, "reads": 2, "appends": 2, "sessions": 1}


def test_rows_that_are_given_are_not_looked_for():
    """The places of the session's rows may be given, in any order."""
    one = history("1 0-1 append 1", "2 2-3 final-read")
    rows = np.array([1, 0])
    said = judge_session(one, 0, creates=True, limit_s=1.0, rows=rows)
    assert {incident.anomaly for incident in said.incidents} == {Anomaly.LOST_MESSAGE}
    assert one.rows["phase"][1] == Phase.FINAL
