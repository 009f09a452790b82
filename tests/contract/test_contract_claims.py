"""Claims: weakest by default, refused when they make no sense, written and read without loss."""

from dataclasses import fields, replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionproof.contract.claims import (
    CONSISTENCY,
    DURABILITY,
    HANDLES,
    Claims,
    Limits,
    as_python,
    claims_from_json,
    claims_to_json,
    required,
)
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.message import MESSAGE_FIELDS

NAMES = st.frozensets(st.sampled_from(["system", "user", "assistant", "tool"]))
LIMIT = st.none() | st.integers(0, 10**9)
LIMITS = st.builds(
    Limits, content_bytes=LIMIT, id_bytes=LIMIT, batch_bytes=LIMIT, retention=LIMIT,
    nul=st.booleans(), surrogates=st.booleans(), first_messages=st.booleans(),
)  # fmt: skip
CLAIMS = st.builds(
    Claims, keeps=st.frozensets(st.sampled_from(MESSAGE_FIELDS)), roles=NAMES, kinds=NAMES,
    validates=st.booleans(), missing_session=st.sampled_from([None, "creates", "refuses"]),
    session_ids=st.sampled_from(["caller", "store"]),
    writes=st.sampled_from(["append", "replace"]), atomic_batches=st.booleans(),
    order=st.sampled_from(["append", "timestamp"]), handles=st.sampled_from(HANDLES),
    shared_handle=st.booleans(), writers=LIMIT, fair=st.booleans(),
    concurrent_readers=st.booleans(), consistency=st.sampled_from(CONSISTENCY),
    durability=st.sampled_from(DURABILITY), seq_start=st.none() | st.integers(-1, 9),
    seq_after_delete=st.sampled_from([None, "reuse", "never"]), limits=LIMITS,
    sources=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)  # fmt: skip


def test_silence_promises_nothing():
    """No guarantee that needs a claim applies to a store that claims nothing."""
    silent = Claims()
    needing = [row.id for row in GUARANTEES.values() if row.claim is not None]
    assert needing
    made = [name for name in needing if GUARANTEES[name].claim.made(silent)]
    # Who names a session, and by what, is a fact and no promise.
    assert made == ["CORE-07", "MIG-01", "SEC-03"]
    for name, levels in (("handles", HANDLES), ("durability", DURABILITY)):
        assert getattr(silent, name) == levels[0]
    assert silent.consistency == CONSISTENCY[0]
    assert silent.writers is silent.seq_start is silent.seq_after_delete is None
    assert not any(getattr(silent, item.name) is True for item in fields(silent))


def test_silence_of_unknown_sessions_is_a_fact_where_callers_name_them():
    """Their sessions begin with an append; where the store names them, nothing is promised."""
    assert Claims().missing_session == "creates"
    assert Claims(session_ids="store").missing_session is None
    for said in ("creates", "refuses"):
        assert Claims(session_ids="store", missing_session=said).missing_session == said


@given(CLAIMS)
def test_claims_survive_json(claims):
    """claims_from_json is the inverse of claims_to_json."""
    assert claims_from_json(claims_to_json(claims)) == claims


@given(CLAIMS)
def test_the_python_line_gives_equal_claims(claims):
    """What as_python prints can be pasted into an adapter."""
    name, line = as_python(claims).split(" = ", 1)
    assert name == "claims"
    assert eval(line, {"Claims": Claims, "Limits": Limits}) == claims


def test_the_python_line_is_short():
    """Defaults are left out, and any mapping of sources can be pasted."""
    assert as_python(Claims()) == "claims = Claims()"
    sourced = Claims(sources=MappingProxyType({"fair": "https://example.org/docs"}))
    assert as_python(sourced) == "claims = Claims(sources={'fair': 'https://example.org/docs'})"


@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        ({"keeps": "role"}, ["keeps", "set of names", "'role'"]),
        ({"keeps": {"colour"}}, ["no field of a message", "colour", "content"]),
        ({"keeps": None}, ["keeps", "set of names"]),
        ({"roles": 5}, ["roles", "set of names"]),
        ({"roles": {1, "user"}}, ["roles", "set of names"]),
        ({"kinds": {None}}, ["kinds", "set of names"]),
        ({"durability": "forever", "handles": 3}, ["durability", "power-strict", "handles"]),
        ({"validates": 1}, ["validates", "true, false"]),
        ({"seq_start": True}, ["seq_start", "a whole number", "none"]),
        ({"writers": "many"}, ["writers", "a whole number"]),
        ({"limits": {"retention": 3}}, ["limits must be Limits"]),
        ({"limits": Limits(retention="3")}, ["limits.retention", "a whole number"]),
        ({"limits": Limits(retention=-3)}, ["limits.retention", "-3"]),
        ({"writers": -1}, ["writers", "-1"]),
        ({"costs": 3}, ["costs must map operations to ratios", "3"]),
        ({"costs": {"flying": 2}}, ["costs names 'flying'", "append"]),
        ({"costs": {"append": 0.5}}, ["costs.append must be a number of at least 1", "0.5"]),
        ({"activity": frozenset({"dreaming"})}, ["activity names dreaming", "known: "]),
    ],
)
def test_nonsense_is_refused(wrong, parts):
    """A bad value is refused in words that name the claim and say what may stand there."""
    with pytest.raises(ValueError) as caught:
        Claims(**wrong)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ([], ["must be a JSON object", "list"]),
        ({"colour": 1, "speed": 2}, ["unknown claims: colour, speed"]),
        ({"colour": 1, "validates": "yes"}, ["unknown claims: colour", "validates"]),
        ({"roles": "user"}, ["roles", "list of names"]),
        ({"roles": "user", "kinds": 3}, ["roles", "kinds"]),
        ({"keeps": [["role"]]}, ["keeps"]),
        ({"limits": {"most": 3}}, ["limits must be an object of", "retention"]),
        ({"limits": 3}, ["limits must be an object of"]),
    ],
)
def test_nonsense_from_json_is_refused(value, parts):
    """claims_from_json lists all that is wrong in a ValueError."""
    with pytest.raises(ValueError) as caught:
        claims_from_json(value)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("requirement", "change"),
    [
        ("durability=process", {"durability": "process"}),
        ("durability=none", {"durability": "none"}),
        ("handles=processes", {"handles": "processes"}),
        ("validates=TRUE", {"validates": True}),
        ("seq_start=0", {"seq_start": 0}),
        ("seq_start=none", {"seq_start": None}),
        ("seq_after_delete=none", {"seq_after_delete": None}),
        ("seq_after_delete=never", {"seq_after_delete": "never"}),
        ("writers= 4 ", {"writers": 4}),
        ("roles=user, tool,", {"roles": frozenset({"user", "tool"})}),
        ("keeps=role,content", {"keeps": frozenset({"role", "content"})}),
        ("limits.retention=20", {"limits": Limits(retention=20)}),
        ("limits.nul=false", {"limits": Limits(nul=False)}),
        ("costs.append=3", {"costs": {"append": 3.0}}),
    ],
)
def test_a_claim_can_be_required_by_text(requirement, change):
    """NAME=LEVEL sets one claim of any kind, and nothing else."""
    claims = Claims(atomic_batches=True)
    assert required(claims, requirement) == replace(claims, **change)


@pytest.mark.parametrize(
    ("requirement", "parts"),
    [
        ("durability", ["'durability' is no NAME=LEVEL", "durability=process"]),
        ("durability=forever", ["claim durability", "power-strict", "'forever'"]),
        ("validates=2", ["claim validates", "true, false"]),
        ("writers=--4", ["claim writers", "a whole number", "'--4'"]),
        ("writers=4.5", ["claim writers", "'4.5'"]),
        ("speed=fast", ["no claim 'speed'", "durability", "limits.retention"]),
        ("limits=3", ["no claim 'limits'"]),
        ("sources=x", ["no claim 'sources'"]),
        ("limits.most=3", ["no claim 'limits.most'"]),
        ("limits.retention=few", ["claim limits.retention", "'few'"]),
        ("keeps=colour", ["no field of a message: colour"]),
        ("costs.append=cheap", ["claim costs.append must be a number", "costs.append=3"]),
        ("costs.flying=3", ["costs names 'flying'"]),
    ],
)
def test_a_requirement_that_makes_no_sense_is_one_line(requirement, parts):
    """A bad requirement is refused in one line that says what may stand there."""
    with pytest.raises(ValueError) as caught:
        required(Claims(), requirement)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "levels"),
    [("handles", HANDLES), ("durability", DURABILITY), ("consistency", CONSISTENCY)],
)
def test_levels_are_ordered(name, levels):
    """A level reaches itself and all that stand before it."""
    for at, level in enumerate(levels):
        claims = Claims(**{name: level})
        assert [claims.at_least(name, other) for other in levels] == [
            other <= at for other in range(len(levels))
        ]
