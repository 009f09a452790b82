"""Windows of concurrent histories that were never recorded, but could have been."""

from __future__ import annotations

from dataclasses import replace

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Finding, Interval, Seen, Window

ORDER = ("#0", "#8", "#16", "#24")


def act(client, call, began, ended, said="", *, outcome="ok", guilty=False):
    """One operation of ``client n``."""
    return Interval(
        client=f"client {client}", call=call, began_us=began, ended_us=ended, outcome=outcome,
        said=said, guilty=guilty,
    )  # fmt: skip


def guilty(*given, **changes):
    return act(*given, guilty=True, **changes)


def window(sentence, *intervals, **changes):
    return Window(session="chat-7", sentence=sentence, intervals=intervals, **changes)


STALE = window(
    "Client 1's append of #16 had ended 29 µs before client 2's read began, and that read answers "
    "2 messages without it.",
    act(1, "append(#0)", 0, 41, "sequence 1"),
    act(2, "read()", 6, 38, "no messages"),
    act(1, "append(#8)", 55, 103, "sequence 2"),
    act(3, "count()", 60, 72, "1"),
    guilty(1, "append(#16)", 118, 171, "sequence 3"),
    act(3, "append(#24)", 150, None, "TimeoutError: timed out", outcome="info"),
    guilty(2, "read()", 200, 236, "#0, #8 (2 messages)"),
    act(4, "append(#32)", 215, 260, "Conflict: busy", outcome="fail"),
    act(4, "append(#32)", 275, 330, "sequence 4"),
    act(2, "read()", 340, 371, "#0, #8, #16, #32 (4 messages)"),
    reads=(
        Seen(client="client 2", call="read()", ended_us=38),
        Seen(client="client 2", call="read()", ended_us=236, labels=ORDER[:2], wrong=(2,)),
        Seen(client="client 2", call="read()", ended_us=371, labels=(*ORDER[:3], "#32")),
        Seen(client="client 4", call="read_last(2)", ended_us=380, labels=("#16", "#32")),
    ),
    order=(*ORDER[:3], "#32"),
    left_out=37,
    history="history/CONC-05-1.npz",
)
OWN = window(
    "Client 1 appended #8 itself, and its next read answers 1 message without it.",
    guilty(1, "append(#8)", 0, 52, "sequence 2"),
    guilty(1, "read()", 52, 88, "#0 (1 message)"),
    act(2, "append(#24)", 30, 79, "sequence 3"),
)
MONOTONIC = window(
    "Client 2 read 3 messages, and 41 µs later 2 of them.",
    guilty(2, "read()", 0, 30, "#0, #8, #16 (3 messages)"),
    act(1, "append(#24)", 10, 70, "sequence 4"),
    guilty(2, "read()", 71, 99, "#0, #16 (2 messages)"),
    reads=(
        Seen(client="client 2", call="read()", ended_us=30, labels=ORDER[:3]),
        Seen(client="client 2", call="read()", ended_us=99, labels=("#0", "#16"), wrong=(1,)),
    ),
    order=ORDER,
)
FUTURE = window(
    "Client 3's read ended 12 µs before client 1 called the append of #8, and answers it.",
    guilty(3, "read()", 0, 40, "#0, #8 (2 messages)"),
    guilty(1, "append(#8)", 52, 90, "sequence 2"),
)
REAL_TIME = window(
    "Client 1's append of #0 had ended before client 2's append of #8 began, and every read has "
    "#8 before #0.",
    guilty(1, "append(#0)", 0, 44, "sequence 2"),
    guilty(2, "append(#8)", 60, 101, "sequence 1"),
    act(3, "read()", 120, 166, "#8, #0 (2 messages)"),
    reads=(
        Seen(client="client 3", call="read()", ended_us=166, labels=("#8", "#0"), wrong=(0, 1)),
    ),
    order=("#0", "#8"),
)
WRITES = replace(
    REAL_TIME,
    sentence="Client 1 sent #0 before #8, and every read has #8 before #0.",
    intervals=(
        guilty(1, "append(#0)", 0, 44),
        guilty(1, "append(#8)", 44, 80),
        act(3, "read()", 120, 166, "#8, #0 (2 messages)"),
    ),
)
BATCH = window(
    "Client 1 appended #0 to #4 in one batch, and client 2's read ends inside of it.",
    guilty(1, "append(#0 … #4)", 0, 120, "5 messages"),
    guilty(2, "read()", 40, 77, "#0, #1, #2 (3 messages)"),
    reads=(
        Seen(client="client 2", call="read()", ended_us=77, labels=("#0", "#1", "#2"),
             wrong=(3, 4)),
    ),
    order=("#0", "#1", "#2", "#3", "#4"),
)  # fmt: skip
CYCLE = window(
    "No order of these 3 operations explains their answers: the count is 1 before the clear that "
    "had ended, and 0 after an append that had ended.",
    guilty(1, "clear()", 0, 20),
    guilty(2, "append(#8)", 30, 66),
    guilty(3, "count()", 80, 95, "0"),
)
BUSY = window(
    "Client 2's append failed because client 1 was at work: 2 writers are claimed.",
    act(1, "append(#0)", 0, 5_000_400, "sequence 1"),
    guilty(2, "append(#8)", 200, 5_000_220, "OperationalError: database is locked",
           outcome="fail"),
)  # fmt: skip
TWICE = window(
    "Client 1 sent #8 once more after a Conflict, and it is there twice.",
    guilty(1, "append(#8)", 0, 30, "Conflict: busy", outcome="fail"),
    guilty(1, "append(#8)", 40, 77, "sequence 2"),
    reads=(
        Seen(client="client 2", call="read()", ended_us=140, labels=("#0", "#8", "#8"),
             wrong=(2,)),
    ),
    order=("#0", "#8"),
)  # fmt: skip
LOST = window(
    "Client 1's append of #8 was acknowledged, and the final read is without it.",
    guilty(1, "append(#8)", 0, 46, "sequence 2"),
    act(2, "append(#16)", 12, 55, "sequence 2"),
    act(3, "read()", 900_000, 900_045, "#0, #16 (2 messages)"),
    reads=(
        Seen(client="client 3", call="read()", ended_us=900_045, labels=("#0", "#16"), wrong=(1,)),
    ),
    order=("#0", "#8", "#16"),
)
STARVED = window(
    "Client 4 completed nothing while client 1 completed 1,204 operations.",
    *(act(1, f"append(#{n * 8})", 60 * n, 60 * n + 50) for n in range(12)),
    guilty(4, "append(#3)", 5, None, outcome="info"),
    left_out=1_192,
)


def dense(clients=8, operations=50):
    """Many operations of many clients, from a microsecond to a second long, two of them guilty."""
    lengths = (1, 40, 3, 700, 55, 2_000, 12, 1_000_000, 90, 8)
    free = [0.0] * clients
    intervals = []
    for number in range(operations):
        client = (number * 5 + number // 7) % clients
        began = free[client] + (0.5, 7, 31, 2, 140_000)[number % 5] * (1 + client)
        length = lengths[(number * 3 + client) % len(lengths)]
        call = ("append", "read", "append", "count", "read_last")[number % 5]
        text = f"append(#{number})" if call == "append" else f"{call}()"
        outcome = {17: "fail", 23: "info", 31: "fail"}.get(number, "ok")
        ended = None if outcome == "info" else began + length
        intervals.append(
            act(client + 1, text, began, ended, f"answer {number}", outcome=outcome,
                guilty=number in (20, 36))
        )  # fmt: skip
        free[client] = began + length + 1
    long = tuple(f"#{n}" for n in range(120))
    return window(
        "Client 7's append of #20 had ended before client 2's read began, which is without it.",
        *intervals,
        reads=tuple(
            Seen(client=f"client {n + 1}", call="read()", ended_us=1_000.0 * n,
                 labels=long[: 60 + 7 * n] if n != 4 else (*long[:57], *long[58:88]),
                 wrong=(57,) if n == 4 else ())
            for n in range(8)
        ),
        order=long,
        left_out=1,
        history="history/CONC-06-1.parquet",
    )  # fmt: skip


DENSE = dense()
WINDOWS: dict[Anomaly, Window] = {
    Anomaly.LOST_MESSAGE: LOST,
    Anomaly.DUPLICATE: TWICE,
    Anomaly.STALE_READ: STALE,
    Anomaly.READ_YOUR_WRITES: OWN,
    Anomaly.NON_MONOTONIC: MONOTONIC,
    Anomaly.FUTURE_READ: FUTURE,
    Anomaly.REAL_TIME: REAL_TIME,
    Anomaly.WRITE_ORDER: WRITES,
    Anomaly.INTERMEDIATE_READ: BATCH,
    Anomaly.NOT_LINEARIZABLE: CYCLE,
    Anomaly.BUSY: BUSY,
    Anomaly.STARVED: STARVED,
}
BROKEN_BY: dict[str, tuple[Anomaly, ...]] = {
    "CNT-06": (Anomaly.LOST_MESSAGE,),
    "SEQ-04": (Anomaly.WRITE_ORDER,),
    "CONC-02": (Anomaly.DUPLICATE,),
    "CONC-04": (Anomaly.INTERMEDIATE_READ,),
    "CONC-05": (
        Anomaly.STALE_READ, Anomaly.FUTURE_READ, Anomaly.REAL_TIME, Anomaly.NOT_LINEARIZABLE,
    ),
    "CONC-06": (Anomaly.READ_YOUR_WRITES, Anomaly.NON_MONOTONIC),
    "CONC-08": (Anomaly.STARVED,),
    "CONC-09": (Anomaly.BUSY,),
}  # fmt: skip


def finding(anomaly: Anomaly) -> Finding:
    """A finding of 4 threads with the window of its anomaly."""
    return Finding(
        anomaly=anomaly,
        did="4 threads worked on one session at the same time",
        expected="answers that one order of the operations explains",
        seen="answers that none explains",
        repeats="17 of 20",
        window=WINDOWS[anomaly],
    )
