"""Executions under a schedule that never happened, for the tests of the report's forms."""

from __future__ import annotations

from dataclasses import replace

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Finding, Reproducer, ScheduleStep, ScheduleTable

INSERT = (
    "INSERT INTO messages (session, seq, body) SELECT ?, coalesce(max(seq), 0) + 1, ? "
    "FROM messages WHERE session = ?"
)


def steps(*given):
    """Rows one after the other; each is client, kind, words and, if any, further fields."""
    return tuple(
        ScheduleStep(client=f"client {client}", kind=kind, said=said, **(*rest, {})[0])
        for client, kind, said, *rest in given
    )


_ONE, _TWO, _READ = ({"operation": place} for place in ("1.1", "2.1", "2.2"))
MATTERS, SWITCHED = {"matters": True}, {"switched": True}
LOST_UPDATE = ScheduleTable(
    clients=("client 1", "client 2"),
    steps=steps(
        (1, "begin", "append b", _ONE | MATTERS),
        (1, "step", "PRAGMA busy_timeout = 5000, … PRAGMA synchronous", _ONE | {"times": 3}),
        (1, "step", "SELECT max(seq) FROM messages WHERE session = ?", _ONE),
        (1, "step", "fetchone", _ONE | MATTERS),
        (1, "stopped", "INSERT INTO messages (session, seq, body) …", _ONE),
        (2, "begin", "append c", _TWO | SWITCHED),
        (2, "step", "SELECT max(seq) FROM messages WHERE session = ?", _TWO | MATTERS),
        (2, "step", "INSERT INTO messages (session, seq, body) …", _TWO | MATTERS
         | {"detail": INSERT}),
        (2, "step", "COMMIT", _TWO | MATTERS),
        (2, "end", "append c acknowledged", _TWO | MATTERS),
        (2, "begin", "read", _READ),
        (2, "end", "read answered a c", _READ),
        (1, "step", "INSERT INTO messages (session, seq, body) …", _ONE | SWITCHED | MATTERS
         | {"detail": INSERT}),
        (1, "step", "COMMIT", _ONE | MATTERS),
        (1, "end", "append b acknowledged", _ONE | MATTERS),
    ),
    sentence="client 2's append of c was acknowledged; the final read does not have c.",
    before=("append a",),
    after=("when all is quiet: a b",),
    interruptions=1,
)  # fmt: skip
DEADLOCK = ScheduleTable(
    clients=("client 1", "client 2", "store's thread 1"),
    steps=(
        *steps(
            (1, "begin", "append a", _ONE),
            (1, "step", "take the lock", _ONE | MATTERS),
            (1, "stopped", "take the lock", _ONE),
            (2, "begin", "clear", _TWO | SWITCHED),
            (2, "step", "take the lock", _TWO | MATTERS),
        ),
        ScheduleStep(client="store's thread 1", kind="step", said="BEGIN", switched=True),
        *steps(
            (1, "waits", "take the lock", _ONE | SWITCHED | MATTERS),
            (2, "waits", "take the lock", _TWO | SWITCHED | MATTERS),
        ),
    ),
    sentence="client 1 and client 2 wait for each other.",
    after=("1.1 append a never ended", "2.1 clear never ended"),
    interruptions=1,
    lines=True,
    controlled=False,
)  # fmt: skip
LONG = replace(
    LOST_UPDATE,
    clients=tuple(f"client {at + 1}" for at in range(11)),
    steps=tuple(
        ScheduleStep(
            client=f"client {at // 20 % 11 + 1}", kind="step", said=f"step {at} of many",
            operation=f"{at // 20 % 11 + 1}.1", switched=at > 0 and at % 20 == 0,
        )
        for at in range(400)
    ),
)  # fmt: skip
TABLES: dict[Anomaly, ScheduleTable] = {
    Anomaly.LOST_MESSAGE: LOST_UPDATE,
    Anomaly.HANG: DEADLOCK,
    Anomaly.DUPLICATE_SEQUENCE: LONG,
}


def finding(anomaly: Anomaly) -> Finding:
    """A finding with the execution of its anomaly."""
    return Finding(
        anomaly=anomaly,
        did="two clients worked under 412 schedules",
        expected="every acknowledged message is in the last read",
        seen="a message that was acknowledged is gone: c",
        program=("c1: store.append('s0', ['b'])", "c2: store.append('s0', ['c'])"),
        repeats="20 of 20",
        script=("run()",),
        reproducer=Reproducer(file="repro/CONC-14.py", fails=True, said="'c' is gone"),
        schedule=TABLES[anomaly],
    )


def hostile_table(text: str) -> ScheduleTable:
    """An execution with this text wherever one can stand."""
    return ScheduleTable(
        clients=(text, "other"),
        steps=(
            ScheduleStep(
                client=text, kind="begin", said=text, operation=text, detail=text, matters=True
            ),
            ScheduleStep(client="other", kind="stopped", said=text, detail=text, switched=True),
        ),
        sentence=text, before=(text,), after=(text,), lines=True, controlled=False,
    )  # fmt: skip
