"""Crashes that never came, but could have: windows for findings, and maps of crash points."""

from __future__ import annotations

from dataclasses import replace

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.measurements import CrashCell, Crashes
from sessionproof.contract.verdicts import CrashWindow, FileStep, Finding

SAID = ("4,096 bytes at 0", "24 bytes at 4,096", "fsync", "4,120 bytes at 8,192", "answer")


def steps(*given, start=0):
    """Steps one after the other; each is file, kind, words and, if not yes, what is left."""
    return tuple(
        FileStep(at=start + place, file=file, kind=kind, said=said, survived=(*rest, "yes")[0])
        for place, (file, kind, said, *rest) in enumerate(given)
    )


WAL, MAIN, CLIENT = "chat.db-wal", "chat.db", "client 1"
IN_PLACE = CrashWindow(
    model="kill",
    point=62,
    points=240,
    sentence="chat.json had been cut to 0 bytes and nothing was written yet: what 7 acknowledged "
    "appends had stored can no longer be read.",
    steps=steps(
        ("chat.json", "size", "cut to 0 bytes"),
        ("chat.json", "write", "1,904 bytes at 0"),
        (CLIENT, "answer", "append(#6) ok"),
        ("chat.json", "size", "cut to 0 bytes"),
        ("chat.json", "write", "2,216 bytes at 0", "after"),
        (CLIENT, "answer", "append(#7) ok", "after"),
        start=58,
    ),
    left_out=234,
)
NO_SYNC = CrashWindow(
    model="power-ordered",
    point=120,
    points=402,
    sentence="Client 1 had its answer to append(#12) before anything of it was synced: after the "
    "crash #12 is not there.",
    steps=(
        *steps(
            (WAL, "write", "4,096 bytes at 20,632"),
            (WAL, "sync", "fdatasync"),
            (CLIENT, "answer", "append(#11) ok"),
            start=101,
        ),
        *steps(
            ("chat.db-journal", "name", "made"),
            (WAL, "write", "24 bytes at 24,752", "no"),
            (WAL, "write", "4,096 bytes at 24,776", "torn"),
            (CLIENT, "answer", "append(#12) ok"),
            start=116,
        ),
        *steps(
            (MAIN, "write", "4,096 bytes at 8,192", "after"),
            ("archive/2026/chat-of-a-very-long-name.db-journal", "name", "removed", "after"),
            start=120,
        ),
    ),
    left_out=393,
)
FOLDER = CrashWindow(
    model="power-strict",
    point=34,
    points=80,
    sentence="The folder was never synced after chat.json was renamed, so the name may be lost "
    "with all that it held.",
    steps=steps(
        ("chat.json.tmp", "name", "made", "no"),
        ("chat.json.tmp", "write", "880 bytes at 0"),
        ("chat.json.tmp", "sync", "fsync"),
        ("chat.json", "name", "renamed from chat.json.tmp", "no"),
        (CLIENT, "answer", "append(#3) ok"),
        start=29,
    ),
    left_out=75,
)
WINDOWS: dict[Anomaly, CrashWindow] = {
    Anomaly.UNREADABLE: IN_PLACE,
    Anomaly.LOST_MESSAGE: NO_SYNC,
    Anomaly.LOST_SESSION: FOLDER,
}
BROKEN_BY: dict[str, tuple[Anomaly, ...]] = {
    "DUR-02": (Anomaly.UNREADABLE,),
    "DUR-03": (Anomaly.LOST_MESSAGE, Anomaly.LOST_SESSION),
}


def finding(anomaly: Anomaly) -> Finding:
    """A finding with the window of its anomaly."""
    return Finding(
        anomaly=anomaly,
        did="one client carried out 28 operations; the machine stopped after the 120th change",
        expected="all that had been acknowledged",
        seen="less",
        program=("store.create('s0')", "store.append('s0', [Message('user', '#12')])"),
        repeats="3 of 3",
        crash=WINDOWS[anomaly],
    )


def crashes(model, points, bad=(), **changes) -> Crashes:
    """A map of so many crash points; ``bad`` are first and last point, anomaly and share."""
    cells = []
    for point in range(1, points + 1):
        judged = 0 if point % 97 == 0 else 1 + point % 5
        found = next((one for one in bad if one[0] <= point <= one[1]), None)
        wrong = 0 if found is None else round(judged * found[3])
        cells.append(
            CrashCell(
                point=point, said=f"{WAL}: {SAID[point % 5]}", acknowledged=point // 9,
                judged=judged, bad=wrong, worst=found[2].value if found and wrong else "",
            )
        )  # fmt: skip
    by_anomaly: dict[str, int] = {}
    for cell in cells:
        if cell.bad:
            by_anomaly[cell.worst] = by_anomaly.get(cell.worst, 0) + cell.bad
    judged = sum(cell.judged for cell in cells)
    row = Crashes(
        model=model, clients="one client", existing=judged, judged=judged, claimed=True,
        cells=tuple(cells), by_anomaly=by_anomaly,
    )  # fmt: skip
    return replace(row, **changes)


NONE_WRONG = crashes("kill", 240)
LOSES = crashes(
    "power-ordered", 240,
    [(40, 44, Anomaly.LOST_MESSAGE, 0.5), (117, 119, Anomaly.LOST_MESSAGE, 1),
     (180, 200, Anomaly.COUNTER_DRIFT, 0.4)],
)  # fmt: skip
STRICT = crashes(
    "power-strict", 240,
    [(12, 30, Anomaly.LOST_MESSAGE, 0.3), (31, 31, Anomaly.UNREADABLE, 1),
     (90, 160, Anomaly.UNREADABLE, 0.6), (200, 230, Anomaly.TORN_BATCH, 0.25)],
    claimed=False, existing=4_180, note="states were drawn by the seed",
)  # fmt: skip
LONG = crashes("kill", 1_400, [(700, 702, Anomaly.STUCK, 1)], clients="2 clients")
CRASHES: dict[str, tuple[Crashes, ...]] = {
    "DUR-01": (NONE_WRONG, LOSES, STRICT),
    "DUR-02": (NONE_WRONG, LONG),
}


def everywhere(text: str) -> Crashes:
    """Crashes with this text wherever one can stand."""
    cell = CrashCell(point=3, said=text, acknowledged=1, judged=2, bad=1, worst=text)
    return Crashes(
        model=text, clients=text, existing=2, judged=2, claimed=True, cells=(cell,),
        by_anomaly={text: 1}, note=text,
    )  # fmt: skip


def hostile_window(text: str) -> CrashWindow:
    """A window with this text wherever one can stand."""
    return CrashWindow(
        model=text, point=1, points=2, sentence=text, left_out=1,
        steps=(
            FileStep(at=0, file=text, kind="write", said=text, survived="torn"),
            FileStep(at=1, file="other", kind="sync", said=text, survived="after"),
        ),
    )  # fmt: skip
