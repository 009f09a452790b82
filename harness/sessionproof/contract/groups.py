"""What the groups of guarantees are about, in a few words each, in the registry's order."""

from __future__ import annotations

from collections.abc import Mapping

TITLES: Mapping[str, str] = {
    "CORE": "what every store owes",
    "FK": "references",
    "CNT": "counters and totals",
    "SEQ": "order within a session",
    "CONC": "many clients at once",
    "DUR": "crashes, loss of power, failing files, servers that are killed",
    "COR": "damaged files, recovery, repair",
    "BAK": "backups and restores",
    "MIG": "migration",
    "TMO": "timeouts, and what a session's status is",
    "MGR": "session managers",
    "SNAP": "snapshots of sessions",
    "SRCH": "search",
    "STATE": "state beside the messages",
    "SEC": "hostile input and isolation",
    "SCALE": "long sessions, and many",
    "PERF": "speed",
}
