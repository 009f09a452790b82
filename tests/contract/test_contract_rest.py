"""Locations, clocks, seeds, the registry of guarantees, and the words for people."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionproof.contract.anomalies import MEANINGS, Anomaly
from sessionproof.contract.clock import SystemClock, VirtualClock, monotonic_ns, monotonic_s
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Create,
    DeleteMessage,
    EditMessage,
    GetState,
    List,
    Read,
    ReadLast,
    ReadPages,
    Reopen,
    SetState,
    as_call,
    shown_text,
)
from sessionproof.contract.seed import derive, fresh_seed, generator
from sessionproof.contract.store import CAPABILITIES
from sessionproof.contract.verdicts import (
    Finding,
    Record,
    Verdict,
    record_from_json,
    record_to_json,
)


def test_a_location_gives_paths_inside_itself(tmp_path):
    """A plain name is a file of the location, and a location is a path."""
    location = Location(tmp_path)
    assert location.path("chat.db") == tmp_path / "chat.db"
    assert location.path("ünïcode 💬") == tmp_path / "ünïcode 💬"
    assert Path(location) == tmp_path
    assert os.fspath(location) == str(tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "/a", "a/b", "a/", "./a", "a\0b"])
def test_a_location_is_not_left(tmp_path, name):
    """A name that leads elsewhere is refused."""
    with pytest.raises(ValueError, match="plain file name"):
        Location(tmp_path).path(name)


def test_a_seed_is_the_same_everywhere():
    """A derived seed depends on its names alone: not on the process, nor on its hash seed."""
    names = (7, "round", 3, "half an emoji: \ud83d")
    command = f"from sessionproof.contract.seed import derive; print(derive(*{names!a}))"
    for hash_seed in ("0", "1"):
        ended = subprocess.run(
            [sys.executable, "-c", command], env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        assert int(ended.stdout) == derive(*names)
    assert derive(0) == 0x5FECEB66FFC86F38  # for ever: old seeds must repeat old runs


def test_seeds_of_different_parts_differ():
    """Each part of a run has randomness of its own, and the same part the same."""
    parts = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", "b"), (0, "ab")]
    assert len({derive(*part) for part in parts}) == len(parts)
    assert generator(0, "a").random() == generator(0, "a").random()
    assert 0 <= fresh_seed() < 2**32


def test_clocks_tell_microseconds():
    """Wall clocks are in this century, virtual ones move when told, monotonic ones rise."""
    assert 1_767_225_600_000_000 < SystemClock().now_us() < 4_102_444_800_000_000
    clock = VirtualClock(start_us=100)
    clock.move(-150)
    assert clock.now_us() == -50
    assert monotonic_s() <= monotonic_s()
    assert monotonic_ns() <= monotonic_ns()


@pytest.mark.parametrize("name", GUARANTEES)
def test_a_row_of_the_registry_is_well_formed(name):
    """An id, a sentence, a unit, evidence of at least one, capabilities that exist."""
    row = GUARANTEES[name]
    assert row.id == name
    assert re.fullmatch(r"[A-Z]+-\d\d", row.id)
    assert row.group == row.id[:-3]
    assert re.fullmatch(r"[A-Z].*[^ .]\.", row.promise)
    assert re.fullmatch(r"[A-Z].*[^ .]\.", row.damage)
    assert re.fullmatch(r"[a-z]+( [a-z]+)*s", row.unit)
    assert row.least >= 1
    assert row.weight > 0
    assert {name for need in row.needs for name in need.split("|")} <= set(CAPABILITIES)


def test_the_registry_is_in_order():
    """Ids are unique and sorted within their groups; every anomaly has a meaning."""
    rows = list(GUARANTEES.values())
    groups = list(dict.fromkeys(row.group for row in rows))
    assert rows == sorted(rows, key=lambda row: (groups.index(row.group), row.id))
    assert set(MEANINGS) == set(Anomaly)


@pytest.mark.parametrize(
    ("operation", "line"),
    [
        (Append("s0", (Message("user", "a"),)), "store.append('s0', [Message('user', 'a')])"),
        (Create("s0"), "store.create('s0')"),
        (Create("s0", (Message(None, None),)),
         "store.create('s0', messages=[Message(None, None)])"),
        (Read("s0"), "store.read('s0')"),
        (List(), "store.list()"),
        (ReadLast("s0", 3), "store.read_last('s0', 3)"),
        (ReadPages("s0", 3), "store.page('s0', cursor=…, limit=3)  # page by page"),
        (DeleteMessage("s0", 2), "store.delete_message('s0', …)  # the message at 2"),
        (EditMessage("s0", 2, Message("user", "a", tokens=3)),
         "store.edit_message('s0', …, Message('user', 'a', tokens=3))  # the message at 2"),
        (GetState("s0", "k"), "store.get_state('s0', 'k')"),
        (SetState("s0", "k", [1]), "store.set_state('s0', 'k', [1])"),
        (Reopen(), "store.close(); store = open_again()"),
    ],
)  # fmt: skip
def test_an_operation_is_a_line_of_python(operation, line):
    """People read and paste operations as calls."""
    assert as_call(operation) == line


@pytest.mark.parametrize(
    ("operation", "names", "line"),
    [
        (Create("s0"), "variables", "store.create(s0)"),
        (Create("s0"), "answered", "s0 = store.create()"),
        (Create("s0", (Message("user", "a"),)), "answered",
         "s0 = store.create(messages=[Message('user', 'a')])"),
        (Read("s0"), "answered", "store.read(s0)"),
        (List(), "answered", "store.list()"),
    ],
)  # fmt: skip
def test_sessions_may_be_variables(operation, names, line):
    """They were set before, or are what the store answers to a creation."""
    assert as_call(operation, names) == line


@given(st.text(st.characters(exclude_categories=()), max_size=400))
def test_a_shown_text_can_be_printed(text):
    """Whatever a text holds, what is shown of it is printable, and short texts read back."""
    shown = shown_text(text)
    assert shown.isprintable()
    assert len(shown) < 3_000
    if len(text) <= 200:
        assert eval(shown) == text


def test_a_text_is_cut_without_showing_a_part_twice():
    """However few characters may be shown, the begin and the end do not overlap."""
    text = "".join(map(chr, range(ord("a"), ord("z") + 1)))
    assert shown_text(text, 8) == "'abcd' … 26 characters … 'yz'"


def test_a_record_survives_json():
    """What a worker sends is what the controller gets."""
    finding = Finding(
        anomaly=Anomaly.LEAK, did="d", expected="e", seen="s", program=("a", "b"),
        repeats="3 of 3", evidence={"stack": "…"},
    )  # fmt: skip
    record = Record(
        guarantee="CORE-01", test="t", verdict=Verdict.BROKEN, examined=3, gated=False,
        findings=(finding,), notes=("n",),
    )  # fmt: skip
    assert record_from_json(json.loads(json.dumps(record_to_json(record)))) == record
    assert Verdict.UNKNOWN.shown == "could not tell"
    assert Verdict.NOT_RUN.shown == "not run"
