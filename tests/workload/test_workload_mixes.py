"""Mixes: rounds that are drawn within a store's claims."""

from __future__ import annotations

from collections import Counter

import pytest

from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.seed import generator
from sessionproof.contract.store import CAPABILITIES
from sessionproof.history.columns import F, Phase
from sessionproof.workload.mixes import MIXES, round_of

ALL = frozenset(CAPABILITIES)
CLAIMS = [
    Claims(),
    Claims(missing_session="refuses"),
    Claims(missing_session="refuses", session_ids="store"),
]


def _drawn(name, *, seed=3, capabilities=ALL, claims=CLAIMS[1], clients=4, length=20):
    return round_of(
        name,
        generator=generator(seed, name),
        capabilities=capabilities,
        claims=claims,
        clients=clients,
        first=17,
        prefix="r9-",
        length=length,
    )


def _calls(made):
    return [call for program in made.programs for call in program]


@pytest.mark.parametrize("name", MIXES)
def test_the_same_generator_draws_the_same_round(name):
    """And another one another round."""
    assert _drawn(name) == _drawn(name)
    assert _drawn(name) != _drawn(name, seed=4)


@pytest.mark.parametrize("claims", CLAIMS, ids=["creates", "refuses", "names"])
@pytest.mark.parametrize("name", MIXES)
def test_a_round_is_whole(name, claims):
    """Each client has about as many calls as were asked for, on sessions that there are."""
    made = _drawn(name, claims=claims)
    assert len(made.programs) == 4
    assert len(set(made.sessions)) == len(made.sessions)
    assert all(session.startswith("r9-") for session in made.sessions)
    for program in made.programs:
        assert 14 <= len(program) <= 30
        phases = [call.phase for call in program]
        assert phases == [Phase.RAMP, *[Phase.LOAD] * (len(program) - 2), Phase.HEAL]
        assert program[-1].f is F.READ
    for call in _calls(made):
        assert 0 <= call.session < len(made.sessions)
        if call.f in (F.APPEND, F.REPLACE, F.READ_LAST, F.PAGES):
            assert call.n >= 1
    assert any(call.f is F.APPEND for call in _calls(made))
    assert any(call.f in (F.READ, F.PAGES) for call in _calls(made))


@pytest.mark.parametrize("name", MIXES)
def test_nothing_is_called_that_the_store_does_not_have(name):
    """A store of the core alone is asked for appends and reads."""
    made = _drawn(name, capabilities=frozenset(), claims=Claims())
    assert {call.f for call in _calls(made)} <= {F.APPEND, F.READ}


@pytest.mark.parametrize(
    ("name", "capabilities", "fits"),
    [
        ("deletes", {"delete"}, True),
        ("deletes", {"clear"}, False),
        ("clears", {"replace"}, True),
        ("clears", set(), False),
        ("counts", {"get"}, True),
        ("counts", {"page"}, False),
        ("pages", {"page"}, True),
        ("hot", set(), True),
    ],
)
def test_a_mix_says_whether_it_fits(name, capabilities, fits):
    """One of the methods that it is about is enough."""
    assert MIXES[name].fits(capabilities) == fits


@pytest.mark.parametrize(
    ("name", "f"),
    [("deletes", F.DELETE), ("clears", F.CLEAR), ("clears", F.REPLACE), ("counts", F.COUNT),
     ("pages", F.PAGES), ("mixed", F.READ_LAST), ("long", F.READ_LAST), ("short", F.CREATE)],
)  # fmt: skip
def test_a_mix_has_what_it_is_about(name, f):
    """Within a few rounds it comes."""
    assert any(call.f is f for seed in range(5) for call in _calls(_drawn(name, seed=seed)))


def test_pages_and_counts_are_not_asked_of_sessions_that_are_emptied():
    """What pages are worth is fixed only where nothing is taken away."""
    for name in ("deletes", "clears"):
        assert not {call.f for call in _calls(_drawn(name))} & {F.PAGES, F.COUNT, F.READ_LAST}


@pytest.mark.parametrize(("limit", "most"), [(None, 8), (360, 3), (100, 1)])
def test_batches_keep_the_limit_of_the_store(limit, most):
    """A batch has as many messages as surely fit; one where no batch does."""
    claims = Claims(limits=Limits(batch_bytes=limit))
    sizes = {
        call.n
        for seed in range(5)
        for call in _calls(_drawn("batches", claims=claims, seed=seed))
        if call.f is F.APPEND and call.phase is Phase.LOAD
    }
    assert max(sizes) == most
    assert min(sizes) == min(2, most)


@pytest.mark.parametrize("name", MIXES)
def test_no_session_is_given_more_than_it_keeps(name):
    """A store that keeps the newest messages alone is not asked for more."""
    made = _drawn(name, claims=Claims(limits=Limits(retention=6)))
    written = Counter()
    for call in _calls(made):
        written[call.session] += call.n if call.f in (F.APPEND, F.REPLACE) else 0
    assert max(written.values()) <= 6


def test_clients_create_what_only_they_can_race_for():
    """They race for a name that they choose, and for none that the store gives."""
    creates, refuses, names = (_drawn("short", claims=claims) for claims in CLAIMS)
    assert (creates.created, refuses.created, names.created) == (True, False, True)
    for session in range(len(refuses.sessions)):
        racing = [call for call in _calls(refuses) if call[:2] == (F.CREATE, session)]
        assert len(racing) == 4


@pytest.mark.parametrize("name", MIXES)
def test_the_numbers_of_a_round_are_enough(name):
    """Its calls, one creation and three final reads of each session."""
    made = _drawn(name)
    longest = max(map(len, made.programs))
    assert made.numbers >= longest * len(made.programs) + 4 * len(made.sessions)
