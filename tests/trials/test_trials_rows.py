"""Single experiments: what they spare, what they need to have seen, what they survive."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.errors import Conflict, Refused
from sessionproof.contract.message import MESSAGE_FIELDS, Message, message_problems
from sessionproof.contract.store import SqliteTables
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import batches, copies, inputs, order, sharing
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed

ATOMIC = replace(MemoryStore.claims, atomic_batches=True)


def broken_by(test, trial):
    """The anomaly that the test finds, or None."""
    try:
        test(trial)
    except Broken as broken:
        return broken.finding.anomaly
    return None


def window(size):
    """A memory store that keeps the newest few."""

    def append(self, session_id, messages):
        MemoryStore.append(self, session_id, messages)
        kept = MemoryStore.read(self, session_id)[-size:]
        MemoryStore.replace(self, session_id, kept)

    claims = replace(
        ATOMIC, limits=Limits(retention=size), seq_start=None, seq_after_delete=None
    )  # fmt: skip
    return {"append": append, "claims": claims}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 20])
@pytest.mark.parametrize("test", [copies.nothing_shared, batches.whole_or_not_at_all])
def test_a_claimed_window_is_no_fault(trial_of, test, size):
    """A store that keeps the newest few, as it claims, is spared by every experiment."""
    guarantee = "CORE-12" if test is copies.nothing_shared else "CORE-02"
    trial = trial_of(guarantee, **window(size))
    assert broken_by(test, trial) is None
    assert trial.examined[trial.guarantee.unit] >= trial.guarantee.least


@pytest.mark.parametrize("size", [2, 4, 20])
def test_a_torn_batch_is_seen_through_a_window(trial_of, size):
    """A store that keeps a part of a refused batch is found out whatever it drops later."""
    methods = window(size)
    whole = methods["append"]

    def append(self, session_id, messages):
        for message in messages:
            if message_problems(message) or "\ud83d" in str(message.content):
                raise Refused("no")
            whole(self, session_id, [message])

    trial = trial_of("CORE-02", **{**methods, "append": append})
    assert broken_by(batches.whole_or_not_at_all, trial) is Anomaly.TORN_BATCH


@pytest.mark.parametrize("keeps", [{"content"}, {"role", "content"}, set(MESSAGE_FIELDS)])
def test_any_store_can_show_that_it_validates(trial_of, keeps):
    """There are invalid messages enough for a store that keeps only contents."""

    def append(self, session_id, messages):
        for message in messages:
            numbers = (message.tokens or 0, message.duration_us or 0)
            known = message.role in ("user", "assistant") and message.kind == "text"
            if message_problems(message) or min(numbers) < 0 or not known:
                raise Refused("invalid")
        return MemoryStore.append(self, session_id, messages)

    trial = trial_of("CORE-10", append=append, claims=Claims(keeps=keeps, validates=True))
    assert broken_by(inputs.refused_and_unwritten, trial) is None
    assert trial.examined["messages"] >= trial.guarantee.least


def test_a_store_that_takes_anything_does_not_validate(trial_of):
    """The first invalid message that is accepted is a finding."""
    trial = trial_of("CORE-10", claims=replace(MemoryStore.claims, validates=True))
    assert broken_by(inputs.refused_and_unwritten, trial) is Anomaly.ACCEPTED_INVALID


def test_a_conflict_beside_a_refused_text_is_no_fault(trial_of):
    """A neighbour that had to be retried does not make a refusal of the hostile text a fault."""
    seen = []

    def append(self, session_id, messages):
        text = str(messages[0].content)
        if (session_id, text) not in seen and text.endswith(("#0", "#1")):
            seen.append((session_id, text))
            raise Conflict("busy")
        if not text.endswith(("#0", "#1")):
            raise Refused("strange")
        return MemoryStore.append(self, session_id, messages)

    trial = trial_of("CORE-06", append=append, claims=Claims())
    assert broken_by(inputs.read_back_or_refused, trial) is None
    assert trial.examined["texts"] >= trial.guarantee.least


@pytest.mark.parametrize(
    ("methods", "anomaly"),
    [
        ({"read": lambda self, sid: list(self.live(sid))}, None),
        ({"read": lambda self, sid: self.live(sid)}, Anomaly.ALIASING),
    ],
    ids=["a new list", "its own list"],
)
def test_a_list_of_its_own_is_seen(trial_of, methods, anomaly):
    """A store that hands out the list that it keeps is found out."""

    def live(self, session_id):
        """The list itself, grown by what was appended since."""
        lists = self.__dict__.setdefault("lists", {})
        known = lists.setdefault(session_id, [])
        counted = self.__dict__.setdefault("counted", {})
        messages = MemoryStore.read(self, session_id)
        known += messages[counted.get(session_id, 0) :]
        counted[session_id] = len(messages)
        return known

    trial = trial_of("CORE-12", live=live, read_last=None, claims=Claims(), **methods)
    assert broken_by(copies.nothing_shared, trial) is anomaly


class Unchangeable(dict):
    """A value that lets nobody change it, in its own way."""

    def __setitem__(self, key, value):
        raise RuntimeError("this is not yours")


def test_values_that_refuse_to_be_changed_are_no_fault(trial_of):
    """A store may answer what nobody can change."""

    def read(self, session_id):
        return [
            replace(one, metadata=one.metadata and Unchangeable(one.metadata))
            for one in MemoryStore.read(self, session_id)
        ]

    trial = trial_of("CORE-12", read=read)
    assert broken_by(copies.nothing_shared, trial) is None
    assert trial.examined["reads"] >= trial.guarantee.least


def _joined(self, session_id, messages):
    MemoryStore.append(self, session_id, messages)


def _first_alone(self, session_id, messages):
    if not MemoryStore.read(self, session_id):
        MemoryStore.append(self, session_id, messages)


@pytest.mark.parametrize(
    ("test", "methods"),
    [
        (sharing.nothing_shared_elsewhere, {"replace": _joined}),
        (copies.nothing_shared, {"append": _first_alone}),
    ],
    ids=["replace", "append"],
)
def test_what_goes_wrong_without_a_change_is_not_called_sharing(trial_of, test, methods):
    """A replacement that appends, an append that loses: other guarantees tell of these."""
    trial = trial_of("CORE-12", **methods)
    assert broken_by(test, trial) is None
    assert all("without a change, too" in note for note in trial.notes)
    assert len(trial.notes) == 1


class WithTables(MemoryStore):
    """A memory store that shows tables, which a test may make as it likes."""

    shown = SqliteTables("chat.db", "messages", "session", "seq")
    rows = True

    def __init__(self, location):
        super().__init__(location)
        self.path = location.path("chat.db")
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("CREATE TABLE messages (session, seq, body)")
            db.execute("CREATE TABLE others (session, seq)")

    def append(self, session_id, messages):
        """Append, and write the numbers."""
        receipt = super().append(session_id, messages)
        with closing(sqlite3.connect(self.path)) as db, db:
            db.executemany(
                "INSERT INTO messages VALUES (?, ?, '')",
                [(session_id, number) for number in receipt.seqs],
            )
        return receipt

    def tables(self):
        """What the test says, in this location."""
        return replace(self.shown, path=str(self.path))


def showing(**shown):
    """A store with tables that shows other ones."""
    tables = replace(WithTables.shown, **shown)
    return type("Odd", (WithTables,), {"shown": tables})


def test_tables_are_audited(trial_of):
    """The numbers in the tables are the evidence."""
    trial = trial_of("SEQ-01", WithTables)
    assert broken_by(order.tables_agree, trial) is None
    assert trial.examined["numbers"] == 6


@pytest.mark.parametrize("shown", [{"messages": "nowhere"}, {"message_seq": "nothing"}])
def test_tables_that_are_not_there_are_a_finding(trial_of, shown):
    """A store that shows a table or a column that does not exist is told so."""
    trial = trial_of("SEQ-01", showing(**shown))
    assert broken_by(order.tables_agree, trial) is Anomaly.MALFORMED


def test_an_empty_table_is_no_evidence(trial_of):
    """A table without the messages that were just appended shows nothing."""
    trial = trial_of("SEQ-01", showing(messages="others"))
    with pytest.raises(CouldNotTell, match="6 messages were appended, the tables show 0"):
        order.tables_agree(trial)
    assert trial.examined["numbers"] == 0


def test_tables_without_numbers_are_not_claimed(trial_of):
    """Where the tables have no numbers, nothing of them is counted."""
    trial = trial_of("SEQ-01", showing(message_seq=None))
    with pytest.raises(NotClaimed):
        order.tables_agree(trial)
    assert trial.examined["numbers"] == 0


def test_locked_tables_are_no_finding(trial_of):
    """A store may hold its file: then its tables could not be looked at."""

    class Holds(WithTables):
        """Locks its file while it is open, once it was asked for it."""

        def tables(self):
            """Lock, and show."""
            self.lock = sqlite3.connect(self.path, isolation_level=None)
            self.lock.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.lock.execute("BEGIN EXCLUSIVE")
            return super().tables()

        def close(self):
            """Let go."""
            if hasattr(self, "lock"):
                self.lock.close()

    trial = trial_of("SEQ-01", Holds)
    with pytest.raises((CouldNotTell, NotClaimed), match="locked"):
        order.tables_agree(trial)


class NotTables:
    """Something else, hostile when shown."""

    def __repr__(self):
        raise SystemExit

    __str__ = __repr__


@pytest.mark.parametrize(
    "shown",
    [
        NotTables(),
        None,
        "chat.db",
        SqliteTables(7, "m", "s", "q"),
        SqliteTables("a\0b", "m", "s", "q"),
    ],
    ids=["hostile", "nothing", "a path", "a number", "NUL"],
)
def test_what_is_no_tables_is_a_finding(trial_of, shown):
    """Whatever a store shows instead of tables does no harm."""
    store = type("Odd", (WithTables,), {"tables": lambda self: shown})
    assert broken_by(order.tables_agree, trial_of("SEQ-01", store)) is Anomaly.MALFORMED


def test_times_that_cannot_be_sent_are_not_claimed(trial_of):
    """A store that takes no times is not asked for their order."""
    trial = trial_of("SEQ-03", claims=Claims())
    with pytest.raises(NotClaimed, match="no times"):
        order.times(trial)


def test_a_store_that_sorts_by_time_is_found_out(trial_of):
    """Where append order is claimed, times that step back do not change it."""

    def read(self, session_id):
        return sorted(MemoryStore.read(self, session_id), key=lambda m: m.created_at_us or 0)

    assert broken_by(order.times, trial_of("SEQ-03", read=read)) is Anomaly.REORDER
    claims = replace(MemoryStore.claims, order="timestamp")
    assert broken_by(order.times, trial_of("SEQ-03", read=read, claims=claims)) is None
    assert broken_by(order.burst, trial_of("SEQ-03")) is None


def test_messages_in_a_burst_are_evidence(trial_of):
    """A burst counts the messages that were read."""
    trial = trial_of("SEQ-03")
    order.burst(trial)
    assert trial.examined["messages"] >= trial.guarantee.least


@pytest.mark.parametrize("keeps", [1, 3, 40])
def test_a_burst_into_a_session_that_keeps_few_is_evidence(trial_of, keeps):
    """It is read before the limit drops what was not seen."""
    claims = replace(MemoryStore.claims, limits=Limits(retention=keeps))
    trial = trial_of("SEQ-03", type("Window", (MemoryStore,), {"claims": claims}))
    order.burst(trial)
    assert trial.examined["messages"] >= trial.guarantee.least


def test_invalid_messages_name_what_is_wrong(trial_of):
    """Each invalid message is invalid by the contract or by the claims, in the words beside it."""
    trial = trial_of("CORE-10", claims=replace(MemoryStore.claims, validates=True))
    for words, message in inputs.invalid_messages(trial):
        assert isinstance(message, Message)
        negative = any((getattr(message, name) or 0) < 0 for name in ("duration_us",))
        odd = message.role == "no-such-role" or message.kind == "no-such-kind" or negative
        assert message_problems(message) or odd or message.tokens == -1, words
