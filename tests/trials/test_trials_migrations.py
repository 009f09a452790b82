"""Trials of migrations: the files that are drawn, and what of a store is not judged."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from fixtures.benign.migrations import Importer
from fixtures.registry import judged
from sessionproof.audit.examine import audit
from sessionproof.contract.errors import Refused
from sessionproof.contract.verdicts import Verdict
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials.legacy_files import SCHEMAS, drawn, written


class TakesOverNothing(Importer):
    """A store that migrates files of its own earlier releases alone."""

    def migrate(self, file, directory, *, dry_run=False):
        """Refuse."""
        raise Refused(f"{file} is no file of ours")


class TakesOverGoodFiles(Importer):
    """A migration that was tried with good files only."""

    def _told(self, known, strays):
        if strays:
            raise Refused("the file has orphans")
        return super()._told(known, strays)


class Confused(Importer):
    """A migration that loses its way."""

    def migrate(self, file, directory, *, dry_run=False):
        """Raise what says nothing."""
        return {}["nothing"]


class NamesSessions(Importer):
    """Sessions get ids of the store's own."""

    claims = replace(Importer.claims, session_ids="store")


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("number", range(6))
def test_drawn_files_are_what_they_say(schema, number, tmp_path):
    """The audit knows their schema; the first of each is in order, the others are not."""
    legacy = drawn(7, schema, number)
    assert drawn(7, schema, number) == legacy
    path = tmp_path / "old.db"
    written(legacy, path)
    found = audit(path)
    kinds = {problem.kind for problem in found.problems} - {"mixed-times"}
    assert found.schema == schema
    assert bool(kinds) == bool(number)
    assert bool(legacy.stray) == bool(number)
    rows = found.rows["sessions" if schema == "manager" else "messages"]
    assert rows == legacy.messages + len(legacy.stray)


def test_a_logged_file_has_its_newest_rows_in_the_log(tmp_path):
    """Without its log it is another file; that is what a copy of it alone would be."""
    legacy = drawn(0, "enhanced", 1)
    assert legacy.logged
    path = tmp_path / "old.db"
    written(legacy, path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["old.db", "old.db-wal"]
    (tmp_path / "old.db-wal").unlink()
    with closing(sqlite3.connect(path)) as alone:
        (rows,) = alone.execute("SELECT COUNT(*) FROM messages").fetchone()
    assert rows < legacy.messages


def test_texts_are_one_of_a_kind():
    """A message that is missing can be told from all others."""
    for schema in SCHEMAS:
        legacy = drawn(3, schema, 2)
        texts = [one.content for sent in legacy.sessions.values() for one in sent]
        assert len({*texts, *legacy.stray}) == len(texts) + len(legacy.stray)


def verdict(store: type, guarantee: str, tmp_path) -> tuple[Verdict, str]:
    (record,) = judged(f"{__name__}:{store.__qualname__}", guarantee, directory=tmp_path)
    seen = record.reason or "".join(finding.seen for finding in record.findings)
    return record.verdict, seen


@pytest.mark.parametrize("guarantee", ["MIG-01", "MIG-02"])
def test_a_store_for_its_own_files_alone_is_not_judged(guarantee, tmp_path):
    """Whoever refuses all of these schemas does not claim to take them over."""
    said, why = verdict(TakesOverNothing, guarantee, tmp_path)
    assert said is Verdict.NOT_CLAIMED
    assert "none of the legacy schemas" in why


def test_a_schema_that_is_taken_over_is_taken_over_with_its_faults(tmp_path):
    """A good file shows which schemas are meant; then one with orphans may not be refused."""
    said, seen = verdict(TakesOverGoodFiles, "MIG-01", tmp_path)
    assert said is Verdict.BROKEN
    assert "orphans" in seen


def test_an_error_that_is_no_refusal_is_no_excuse(tmp_path):
    """A KeyError does not say that a schema is not meant."""
    said, seen = verdict(Confused, "MIG-01", tmp_path)
    assert said is Verdict.BROKEN
    assert "KeyError" in seen


def test_sessions_of_other_names_are_not_claimed(tmp_path):
    """Where the store names its sessions itself, nobody knows which is which."""
    assert verdict(NamesSessions, "MIG-01", tmp_path)[0] is Verdict.NOT_CLAIMED


def test_stores_without_migrations_do_not_claim_them(tmp_path):
    """The memory store has neither method."""
    name = f"{MemoryStore.__module__}:{MemoryStore.__qualname__}"
    for guarantee in ("MIG-01", "MIG-02"):
        (record,) = judged(name, guarantee, directory=tmp_path)
        assert record.verdict is Verdict.NOT_CLAIMED
