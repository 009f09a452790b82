"""References: what the trials of sessions, models and connections spare, and what they need."""

import sqlite3
import sys
import threading
from contextlib import closing
from dataclasses import replace

import pytest

from fixtures.benign.calls import HistoryError, RefusesInItsOwnWords
from fixtures.benign.related import GuardsByTriggers, KeepsATrash, MarksAsDeleted, Related
from fixtures.mutants import references as mutants
from fixtures.mutants.counters import CountsDeletionsOfNothing, CountsTheRefused, DriftsSlowly
from sessionproof import Location, Message
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import StoreError
from sessionproof.contract.operations import (
    Append,
    Completed,
    Create,
    Delete,
    Failure,
    Outcome,
    Read,
)
from sessionproof.contract.store import SqliteTables
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore
from sessionproof.trials import connections, drift, failures, models, references
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.trials.watching import asked, watched
from sessionproof.workload.profiles import PROFILES


def finding_of(test, trial):
    """The finding of a test that must be broken."""
    with pytest.raises(Broken) as caught:
        test(trial)
    return caught.value.finding


class Cascading(MemoryStore):
    """Sessions let go of a model that is removed."""

    claims = replace(MemoryStore.claims, on_delete_in_use="cascades")

    def delete_llm_model(self, name):
        """Remove the model and its names."""
        self.named = {session: model for session, model in self.named.items() if model != name}
        super().delete_llm_model(name)


def runs(script, store, location):
    """Whether the lines of a finding run through against a store of this class."""
    location.mkdir()
    names = {"open_store": store, "location": Location(location), "Message": Message}
    try:
        exec("\n".join(script), names)
    except (AssertionError, StoreError, HistoryError):
        return False
    finally:
        if "store" in names:
            names["store"].close()
    return True


BROKEN = [
    (references.nothing_is_left, mutants.IndexOutlives, Related),
    (references.nothing_is_left, mutants.CursorOutlives, MemoryStore),
    (references.nothing_is_left, mutants.EditRevives, MemoryStore),
    (models.removed_in_use, mutants.CascadesTooFar, Cascading),
    (models.removed_in_use, mutants.CascadesOnce, Cascading),
    (models.removed_in_use, mutants.RemovesUsedModels, MemoryStore),
    (models.removed_in_use, mutants.ForgetsWhoUsesModels, ReferenceStore),
    (connections.keys_are_enforced, mutants.OverflowForgets, Related),
    (connections.keys_are_enforced, mutants.DeletesWithoutKeys, Related),
    (drift.for_long, DriftsSlowly, MemoryStore),
    (failures.after_failures, CountsTheRefused, RefusesInItsOwnWords),
    (failures.after_failures, CountsDeletionsOfNothing, MemoryStore),
]


@pytest.mark.parametrize(("test", "broken", "right"), BROKEN)
def test_the_script_of_a_finding_tells_broken_from_right(trial_of, tmp_path, test, broken, right):
    """The lines fail against the store that is broken, and run through against the right one."""
    rows = {references: "FK-02", models: "FK-07", connections: "FK-05", drift: "CNT-03"}
    by_module = {module.__name__: row for module, row in rows.items()}
    row = by_module.get(test.__module__, "CNT-04")
    finding = finding_of(test, trial_of(row, broken, profile=PROFILES["smoke"]))
    assert finding.script
    assert not runs(finding.script, broken, tmp_path / "broken")
    assert runs(finding.script, right, tmp_path / "right")


def test_appends_to_unknown_sessions_are_counted_when_they_are_looked_at():
    """Only an append that met an unknown session, and was followed by a look, is evidence."""
    ok, failed = Outcome("ok"), Outcome("fail", failure=Failure("NotFound", "no"))

    def done(operation, outcome=ok):
        return Completed(operation, outcome)

    append, read = done(Append("s", ())), done(Read("s"))
    assert references.count_unknown([append]) == 0
    assert references.count_unknown([append, read]) == 1
    assert references.count_unknown([append, append, read]) == 1
    assert references.count_unknown([done(Create("s")), append, read]) == 0
    refused = done(Append("s", ()), failed)
    assert references.count_unknown([refused, refused, read]) == 2
    assert references.count_unknown([append, read, done(Delete("s")), append, read]) == 2


@pytest.mark.parametrize("store", [MarksAsDeleted, KeepsATrash])
def test_what_is_kept_on_purpose_is_noted(trial_of, store):
    """A store that keeps deleted rows where no operation reaches them is spared, with a note."""
    trial = trial_of("FK-02", store)
    references.nothing_is_left(trial)
    assert trial.examined["deletions"] == 3
    (note,) = trial.notes
    assert note.startswith("rows of deleted sessions are kept in ")


def test_a_search_index_that_is_left_is_found(trial_of):
    """Rows of a virtual table that outlive their messages are damage."""
    finding = finding_of(references.nothing_is_left, trial_of("FK-02", mutants.IndexOutlives))
    assert finding.anomaly is Anomaly.ORPHAN
    assert "rows of found still hold the text" in finding.seen


def test_orphans_are_found_whatever_came_before(trial_of):
    """The smallest program leaves the orphans by itself, as each fault begins at a new location."""
    finding = finding_of(references.no_orphans, trial_of("FK-04", mutants.WordsOutliveMessages))
    assert finding.anomaly is Anomaly.ORPHAN
    assert "rows of words refer by message to rows of messages" in finding.seen
    assert finding.repeats == "3 of 3"


def test_a_store_without_references_has_nothing_to_break(trial_of):
    """Where no row refers to another table, freedom from orphans is not claimed."""

    class Flat(MemoryStore):
        """One table, and nothing in it."""

        def __init__(self, location):
            super().__init__(location)
            self.path = location.path("chat.db")
            with closing(sqlite3.connect(self.path)) as db:
                db.execute("CREATE TABLE messages (session)")

        def tables(self):
            """The one."""
            return SqliteTables(str(self.path), "messages", "session")

    for test, row in ((references.no_orphans, "FK-04"), (connections.keys_are_enforced, "FK-05")):
        with pytest.raises(NotClaimed):
            test(trial_of(row, Flat))


@pytest.mark.parametrize("shown", [None, "chat.db", SqliteTables("/nowhere", "m", "s")])
def test_tables_that_are_none_are_a_finding(trial_of, shown):
    """A store that shows something else than its tables is told so."""
    trial = trial_of("FK-04", tables=lambda self: shown)
    assert finding_of(references.no_orphans, trial).anomaly is Anomaly.MALFORMED


def test_a_store_that_names_its_sessions_never_uses_an_id_again(trial_of):
    """Ids that the store gives are not reused by a client."""
    with pytest.raises(NotClaimed, match="store's own"):
        references.deleted_and_used_again(trial_of("FK-03", claims=Claims(session_ids="store")))


def test_both_ways_to_remove_a_model_are_right(trial_of):
    """Refusing and cascading are judged by the claim, and each holds by its own."""
    for store in (MemoryStore, Cascading):
        trial = trial_of("FK-07", store)
        models.removed_in_use(trial)
        assert trial.examined["deletions"] >= trial.guarantee.least


@pytest.mark.parametrize(
    ("store", "claim", "anomaly"),
    [
        (MemoryStore, "cascades", Anomaly.UNEXPECTED_REFUSAL),
        (Cascading, "refuses", Anomaly.ACCEPTED_INVALID),
    ],
)
def test_the_other_way_is_a_break(trial_of, store, claim, anomaly):
    """What a store does to a model in use must be what it claims."""
    trial = trial_of("FK-07", store, claims=replace(store.claims, on_delete_in_use=claim))
    finding = finding_of(models.removed_in_use, trial)
    assert finding.anomaly is anomaly


def test_a_store_that_guards_by_triggers_does_not_claim_the_pragma(trial_of):
    """Connections without foreign keys do no harm where triggers do their work."""
    with pytest.raises(NotClaimed, match="triggers guard the references"):
        connections.keys_are_enforced(trial_of("FK-05", GuardsByTriggers))


def test_the_triggers_of_the_trial_are_taken_away(trial_of):
    """After the trial the file has no table and no trigger that the store did not make."""
    trial = trial_of("FK-05", Related)
    connections.keys_are_enforced(trial)
    assert trial.examined["connections"] >= 2
    with closing(sqlite3.connect(trial.store.location.path("chat.db"))) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    assert not [name for name in names if name.startswith("sessionproof")]


def test_a_store_that_bears_no_triggers_is_asked_all_the_same(trial_of):
    """Where the notes make appends fail, they are taken away, and connections are asked."""

    class Distrusts(Related):
        """Refuses what it did not make."""

        def _set_up(self, db, number):
            super()._set_up(db, number)
            db.execute("PRAGMA trusted_schema = OFF")

    trial = trial_of("FK-05", Distrusts)
    connections.keys_are_enforced(trial)
    assert trial.examined["connections"] >= 1


def test_a_store_in_another_process_is_not_asked(trial_of):
    """A command's connections cannot be seen from here."""
    trial = trial_of("FK-05", Related)
    trial.store.spec = replace(trial.store.spec, name="cmd:store")
    with pytest.raises(NotClaimed, match="another process"):
        connections.keys_are_enforced(trial)


def test_connections_that_cannot_be_asked_are_no_evidence(trial_of):
    """A store whose connections are closed by then, and whose writes are not seen, is unknown."""

    class Hides(Related):
        """Nothing is open between calls, and nothing foreign is borne."""

        def _set_up(self, db, number):
            super()._set_up(db, number)
            db.execute("PRAGMA trusted_schema = OFF")

        def append(self, session_id, messages):
            """Append, and close everything."""
            try:
                return super().append(session_id, messages)
            finally:
                while self.idle:
                    self.idle.pop().close()

        read = list = delete = lambda self, *arguments: self._closing(*arguments)

        def _closing(self, *arguments):
            while self.idle:
                self.idle.pop().close()
            return []

        def close(self):
            """All is closed."""

    claims = replace(Related.claims, handles="one", shared_handle=False)
    with pytest.raises((CouldNotTell, Broken)):
        connections.keys_are_enforced(trial_of("FK-05", Hides, claims=claims))


def test_the_watch_sees_each_connection_once_and_only_while_it_lasts(tmp_path):
    """Open connections to the file are asked; closed and other ones are left out."""
    path, other = str(tmp_path / "a.db"), str(tmp_path / "b.db")
    with closing(sqlite3.connect(path)) as before:
        before.execute("CREATE TABLE t (x)")
        with watched() as seen:
            writer, reader = (
                sqlite3.connect(path),
                sqlite3.connect(f"file:{path}?mode=ro", uri=True),
            )
            elsewhere, closed = sqlite3.connect(other), sqlite3.connect(path)
            closed.close()
            foreign = []
            thread = threading.Thread(target=lambda: foreign.append(sqlite3.connect(path)))
            thread.start()
            thread.join()
            writer.execute("PRAGMA foreign_keys = ON")
            writer.execute("INSERT INTO t VALUES (1)")
            writer.commit()
            writer.row_factory = lambda _cursor, row: {"odd": row}
            settings = asked(seen, path)
            assert set(settings) == {id(writer), id(reader)}
            assert settings[id(writer)].enforces
            assert settings[id(writer)].wrote
            assert not settings[id(reader)].writes
        for connection in (writer, reader, elsewhere):
            connection.close()
        del foreign[:]
    assert seen == []
    with closing(sqlite3.connect(path)):
        assert seen == []
    assert sys.version_info >= (3, 11)
