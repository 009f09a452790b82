"""A store whose sessions begin empty is held to all that it can do, and to no more."""

from dataclasses import replace

import pytest

from sessionproof.contract.claims import Limits
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.measurements import Growth
from sessionproof.contract.operations import Create
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials import (
    batches,
    crash,
    disturbed,
    failures,
    growth_lines,
    identity,
    references,
    sharing,
)
from sessionproof.trials.single import NotClaimed


class OpensEmpty(MemoryStore):
    """Names are taken as they are asked for, or given."""

    def create(self, session_id=None):
        """Make an empty session."""
        return super().create(session_id)


class NamesThem(OpensEmpty):
    """An own name for each, whatever was asked for."""

    claims = replace(MemoryStore.claims, session_ids="store", missing_session=None)

    def create(self, session_id=None):
        """Make an empty session."""
        return super().create()


def test_that_sessions_begin_empty_is_known_of_the_class():
    """No call is needed for it, and none of the class that takes messages is kept from it."""
    assert not spec_of("empty", OpensEmpty).claims.limits.first_messages
    assert spec_of("memory", MemoryStore).claims.limits == Limits()


@pytest.mark.parametrize("store", [OpensEmpty, NamesThem])
@pytest.mark.parametrize(
    "look",
    [
        batches.created_whole,
        lambda trial: batches.whole_or_not_at_all(trial, batches.CREATE),
        crash.survives,
    ],
)
def test_creations_with_messages_are_not_claimed(trial_of, store, look):
    """What would be created in one step is not there to be judged."""
    claims = replace(spec_of("empty", store).claims, durability="process")
    with pytest.raises(NotClaimed, match=r"^create takes no messages$"):
        look(trial_of("CORE-13", store, claims=claims))


@pytest.mark.parametrize("store", [OpensEmpty, NamesThem])
@pytest.mark.parametrize(
    ("row", "look"),
    [
        ("CORE-12", sharing.nothing_shared_elsewhere),
        ("SEC-03", identity.never_shared),
        ("FK-01", references.appended_to_unknown),
        ("CNT-01", failures.after_failures),
    ],
)
def test_nobody_sends_it_messages_to_begin_with(trial_of, store, row, look):
    """A call with them would raise, and would be held against the store."""
    trial = trial_of(row, store)
    look(trial)
    assert trial.examined.total() > 0


@pytest.mark.parametrize(
    ("store", "sent"), [(MemoryStore, 1), (OpensEmpty, 0)], ids=["with", "without"]
)
def test_a_creation_is_disturbed_as_the_store_takes_it(trial_of, store, sent):
    """Faults meet a creation with a message, or an empty one."""
    steps = [deed.step for deed in disturbed.deeds(trial_of("CORE-16", store))]
    (created,) = [step for step in steps if isinstance(step, Create)]
    assert len(created.messages) == sent


@pytest.mark.parametrize(
    ("store", "line"),
    [
        (MemoryStore, "store.create(f'session-{n}', messages=["),
        (OpensEmpty, "store.append(store.create(f'session-{n}'), ["),
        (NamesThem, "store.append(store.create(), ["),
    ],
)
def test_a_script_fills_sessions_as_the_store_makes_them(trial_of, store, line):
    """With a message at the creation, or with one behind it."""
    grown = Growth(
        operation="get", along="sessions", sizes=(30, 300), cost_us=(1.0, 10.0), floor_us=None,
        slope=1.0, low=1.0, high=1.0, verdict="linear", rounds=9, factor=10.0, at_million_us=1e6,
    )  # fmt: skip
    script = growth_lines.script_of_growth(trial_of("SCALE-02", store), grown, 5)
    assert any(one.strip().startswith(line) for one in script)
