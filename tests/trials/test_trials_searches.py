"""Searches that are judged: what is owed, what is left to the store, and what a script says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Limits
from sessionproof.contract.operations import Append, Delete, PopLast, Replace
from sessionproof.contract.searching import Hit
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import queries, searches
from sessionproof.trials.lookups import Chat
from sessionproof.trials.single import Broken, CouldNotTell
from sessionproof.workload.lookups import made_words

ROWS = {"SRCH-01": searches.at_once, "SRCH-02": searches.any_text, "SRCH-03": searches.equal}


def scan(store, query, *, limit=100):
    """A plain search: words between blanks, in any case."""
    words = [one for one in query.lower().split() if any(map(str.isalnum, one))]
    return [
        Hit(name, message)
        for name in store.list()
        for message in store.read(name)
        if words and all(one in str(message.content or "").lower() for one in words)
    ][:limit]


@pytest.mark.parametrize("row", ROWS)
def test_a_plain_search_holds(trial_of, row):
    """A store that looks at every message is right, and enough is examined."""
    trial = trial_of(row, search=scan)
    ROWS[row](trial)
    assert trial.examined["searches"] >= trial.guarantee.least


@pytest.mark.parametrize("row", ROWS)
def test_a_store_of_few_methods_can_be_judged(trial_of, row):
    """Appending, reading and searching is enough; so is one message at a time."""

    class Few:
        claims = replace(MemoryStore.claims, limits=Limits(batch_bytes=20_000))

        def __init__(self, location):
            self.inner = MemoryStore(location)

        def append(self, session_id, messages):
            return self.inner.append(session_id, messages)

        def read(self, session_id):
            return self.inner.read(session_id)

        def search(self, query, *, limit=100):
            return scan(self.inner, query, limit=limit)

        def close(self):
            pass

    trial = trial_of(row, Few)
    ROWS[row](trial)
    assert trial.examined["searches"] >= trial.guarantee.least


@pytest.mark.parametrize("gone", [KeyError, SystemError])
@pytest.mark.parametrize("row", ["SRCH-01", "SRCH-03"])
def test_errors_of_deleted_sessions_are_refusals(trial_of, row, gone):
    """Whatever a store raises for them; of a session that is there, it is a finding."""

    class Names(MemoryStore):
        claims = replace(MemoryStore.claims, session_ids="store", missing_session=None)
        search = scan

        def create(self, session_id=None):
            return super().create()

        def append(self, session_id, messages):
            return super().append(self._known(session_id), messages)

        def read(self, session_id):
            return super().read(self._known(session_id))

        def _known(self, session_id):
            if session_id not in self.world:
                raise gone(session_id)
            return session_id

    trial = trial_of(row, Names)
    ROWS[row](trial)
    assert trial.examined["searches"] >= trial.guarantee.least

    class Never(Names):
        def append(self, session_id, messages):
            raise gone(session_id)

    with pytest.raises(Broken) as broken:
        ROWS[row](trial_of(row, Never))
    assert broken.value.finding.anomaly is Anomaly.UNEXPECTED_REFUSAL


@pytest.mark.parametrize("row", ROWS)
def test_a_search_that_raises_is_broken(trial_of, row):
    """An error is told with what was done, and the script has the same call."""

    def search(store, query, *, limit=100):
        raise RuntimeError("no such column")

    with pytest.raises(Broken) as caught:
        ROWS[row](trial_of(row, search=search))
    finding = caught.value.finding
    assert "RuntimeError: no such column" in finding.seen
    assert any("store.search(" in line for line in finding.script)


def test_a_search_that_answers_no_hits_of_the_contract_is_broken(trial_of):
    """What is no Hit is a malformed answer."""

    def search(store, query, *, limit=100):
        return ["text"]

    with pytest.raises(Broken) as caught:
        searches.at_once(trial_of("SRCH-01", search=search))
    assert caught.value.finding.anomaly is Anomaly.MALFORMED


def test_a_store_without_texts_cannot_be_judged(trial_of):
    """A store that takes tool calls alone has nothing to be found."""
    claims = replace(MemoryStore.claims, kinds=frozenset({"tool_call"}))
    with pytest.raises(CouldNotTell, match="no plain texts"):
        searches.equal(trial_of("SRCH-03", claims=claims, search=scan))


def test_drawn_programs_are_shrunk(trial_of):
    """A search that stops at the fifth message is shown by few operations."""

    def search(store, query, *, limit=100):
        return [hit for hit in scan(store, query, limit=limit) if hit.message.id < "m5"]

    with pytest.raises(Broken) as caught:
        searches.equal(trial_of("SRCH-03", search=search))
    finding = caught.value.finding
    assert finding.anomaly is Anomaly.LOST_MESSAGE
    assert len(finding.program) < 16


@pytest.mark.parametrize(
    ("claims", "names"),
    [
        ({}, False),
        ({"finds": {"cjk"}}, True),
        ({"finds": {"code"}}, True),
    ],
)
def test_more_is_asked_where_more_is_claimed(trial_of, claims, names):
    """Chinese words and code are looked for in stores that claim to find them."""
    trial = trial_of("SRCH-02", claims=replace(MemoryStore.claims, **claims), search=scan)
    asked = [ask.query for case in queries.cases(trial, made_words(1)) for ask in case.asks]
    assert ("C++" in asked or "北京" in asked) is names


@pytest.mark.parametrize("order", ["newest", "best", None])
def test_orders_are_asked_as_claimed(trial_of, order):
    """Texts in their order where one is claimed, and no more than the limit where none is."""
    claims = replace(MemoryStore.claims, search_order=order)
    trial = trial_of("SRCH-02", claims=claims, search=scan)
    cases = [*queries.cases(trial, made_words(1))]
    asked = [ask for case in cases for ask in case.asks if ask.of is not None]
    assert asked
    assert all((ask.found is None) is (order is None) for ask in asked)


def test_forms_are_parts_of_their_texts(trial_of):
    """Each query that looks like syntax stands in a text as it is, so that it must be found."""
    trial = trial_of("SRCH-02", search=scan)
    forms = 0
    for case in queries.cases(trial, made_words(1)):
        for ask in case.asks:
            if ask.found and ask.found[0].startswith("before "):
                assert ask.query in ask.found[0]
                forms += 1
    assert forms == len(queries.FORMS)


def test_a_deleted_session_is_gone_until_messages_make_it_again(trial_of):
    """A look at it that is answered brings nothing back, so errors of it stay refusals."""

    class Names(MemoryStore):
        deleted = False

        def append(self, session_id, messages):
            if self.deleted:
                raise KeyError(session_id)
            return super().append(session_id, messages)

        def delete(self, session_id):
            self.deleted = True
            super().delete(session_id)

    trial = trial_of("SRCH-03", Names)
    chat = Chat.begun(trial, "s0")
    for operation in (Append("s0", trial.several(1)), Delete("s0"), PopLast("s0")):
        assert chat.do(operation).type == "ok"
    assert chat.do(Append("s0", trial.several(1))).type == "info"
    assert chat.do(Replace("s0", trial.several(1))).type == "ok"
    assert "s0" not in chat.gone
