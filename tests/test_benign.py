"""Correct stores that differ from the reference hold every guarantee that they claim."""

import os
import re
from zlib import crc32

import pytest

from fixtures.known_weak import looks_at_damage, slow_rows
from fixtures.registry import (
    MANY,
    OF_CRASHES,
    OF_DAMAGE,
    OF_FILES,
    OF_LIFE,
    OF_SERVERS,
    SERVED,
    benign_stores,
    judged,
    timed_guarantees,
)
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict
from sessionproof.faults.servers.binaries import find_binaries, missing

STORES = ("reference", "sessionproof.oracle.memory:MemoryStore", *benign_stores())
TIMED = timed_guarantees()
EVERYTHING = "SESSIONPROOF_DEEP" in os.environ
# Each change tries the store in memory by every row but those of time and of long sessions, which
# runs of the project's own stores judge.
OFTEN = STORES[1:2]
# Tests of many clients: each change tries them on those that are made for many.
FOR_MANY = (
    "fixtures.benign.together:WriteAhead",
    "fixtures.benign.together:Optimistic",
    "fixtures.benign.calls:open_awaited",
)
# Controlled schedules: correct ways to share that look suspicious.
SCHEDULED = (
    "fixtures.benign.schedules:WritesInGroups",
    "fixtures.benign.schedules:AsksOneTask",
    "fixtures.benign.schedules_stored:KeepsWhatItRead",
)
# Crashes: each change tries them on those that are made to survive one. The
# rows of one store share what was recorded and judged of it.
CRASHED = ("fixtures.benign.crash_safe:", "fixtures.benign.crash_safe_files:", SERVED)
# Backups and the like: each change tries them on the stores that have them in their own way.
UPKEPT = tuple(
    f"fixtures.benign.{name}"
    for name in (
        "damage_safe", "backups", "csv_backups", "health", "migrations", "recovery", "repairs",
    )
)  # fmt: skip
# Limits, snapshots, search, state, managers: each change tries an eighth of them on the stores that
# have their own.
LIVING = tuple(
    f"fixtures.benign.{name}:"
    for name in ("lifetime", "timeouts", "managing", "snapshots", "searches", "sweeps", "states")
)
# Users, in the stores that have them.
WITH_USERS, OF_USERS = "fixtures.benign.users:", ("FK-07", "FK-08", "SEC-04")
# Creations without messages, in the store that makes its sessions so.
BEGINS_EMPTY = "fixtures.benign.sessions:OpensEmpty"
OF_CREATIONS = ("CORE-11", "CORE-13", "FK-01", "FK-02", "SEC-03", "SRCH-03")
LONG = frozenset(name for name in GUARANTEES if name.startswith(("SCALE", "PERF-01")))


def is_often(store, guarantee):
    """Whether each change tries this pair; the night tries all.

    Runs of the project's own stores judge every row on each change, so these are samples.
    """
    drawn = crc32(f"{store} {guarantee}".encode())
    if guarantee in MANY:
        scheduled = guarantee == "CONC-14" and store in SCHEDULED
        return scheduled or (store in FOR_MANY and drawn % 8 == 0)
    if guarantee in OF_CRASHES:  # one recording serves all rows of a store
        return store in OFTEN or (store.startswith(CRASHED) and crc32(store.encode()) % 2 == 0)
    if store in OFTEN:
        return guarantee not in LONG
    if store.startswith(WITH_USERS) and guarantee in OF_USERS:
        return True
    if store == BEGINS_EMPTY and guarantee in OF_CREATIONS:
        return True
    if store.startswith(UPKEPT) and guarantee in OF_FILES:
        return drawn % 3 == 0
    if store.startswith(LIVING) and guarantee in OF_LIFE:
        return drawn % 8 == 0
    return guarantee not in LONG and drawn % 192 == 0


PAIRS = [
    (store, guarantee)
    for store in STORES
    for guarantee in GUARANTEES
    if guarantee in OF_SERVERS or not store.startswith(SERVED)
    if guarantee not in OF_DAMAGE or store in OFTEN or looks_at_damage(store)
    if EVERYTHING or is_often(store, guarantee)
]


@pytest.mark.parametrize(("store", "guarantee"), PAIRS, ids=lambda name: name.rpartition(":")[2])
def test_holds_what_it_claims(store, guarantee, tmp_path, tmp_path_factory):
    """No guarantee calls a correct store broken, and none is left in doubt."""
    if store.startswith(SERVED) and find_binaries() is None:
        pytest.skip(missing())
    directory = tmp_path
    if guarantee in OF_CRASHES:
        base = tmp_path_factory.getbasetemp()
        base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # one for all workers
        directory = base / re.sub(r"\W", "-", store)
        directory.mkdir(exist_ok=True)
    records = judged(store, guarantee, directory=directory)
    if guarantee in slow_rows(store):
        assert records[-1].verdict is not Verdict.HOLDS, records
        return
    wrong = [record for record in records if record.verdict is not Verdict.HOLDS]
    assert all(record.verdict is Verdict.NOT_CLAIMED for record in wrong), wrong


def test_there_are_enough_of_them():
    """At least eight ways to be right."""
    assert len(benign_stores()) >= 8


def test_tests_of_time_are_told_from_others():
    """What is left to the night is a test of time, and nothing else."""
    assert {"SCALE-01", "SCALE-02", "PERF-01"} == TIMED
