"""The damaged databases are what their manifest says."""

import sqlite3
from contextlib import closing

import pytest

from fixtures.legacy import FOLDER, build, damaged
from sessionproof.audit.result import KINDS


@pytest.mark.parametrize("one", damaged(), ids=lambda one: one.name)
def test_can_be_built(one, tmp_path):
    """Each becomes a file that SQLite itself calls sound: the damage is in what it means."""
    build(one, tmp_path / "legacy.db")
    with closing(sqlite3.connect(tmp_path / "legacy.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_manifest_names_every_file():
    """No damage is forgotten, and none is named that is not there."""
    assert {one.name for one in damaged()} == {path.stem for path in FOLDER.glob("*.sql")}
    assert len(damaged()) == len({one.name for one in damaged()})


def test_the_manifest_names_each_problem_once():
    """A place has one count."""
    for one in damaged():
        places = [(problem.kind, problem.table, problem.column) for problem in one.problems]
        assert len(places) == len(set(places)), one.name
        assert all(problem.count > 0 for problem in one.problems), one.name


def test_the_manifest_speaks_the_audit_s_words():
    """Every kind of problem in it is one that the audit knows."""
    assert {problem.kind for one in damaged() for problem in one.problems} <= set(KINDS)
