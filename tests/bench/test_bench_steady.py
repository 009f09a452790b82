"""Processes without random addresses: within the block alone, and where the system allows it."""

import pytest

from sessionproof.bench.arms import steady
from sessionproof.bench.arms.steady import steady_addresses

ASK = 0xFFFFFFFF
FIXED = 0x0040000  # ADDR_NO_RANDOMIZE


class Personality:
    """The system's call: flags as they are, and answers as told."""

    def __init__(self, monkeypatch, flags, *, refuses=()):
        self.flags, self.refuses, self.asked = flags, refuses, []
        monkeypatch.setattr(steady, "_personality", lambda: self)

    def __call__(self, asked):
        before = self.flags
        self.asked.append(asked)
        if asked in self.refuses:
            return -1
        if asked != ASK:
            self.flags = asked
        return before


def test_addresses_are_fixed_within_the_block_alone(monkeypatch):
    """The other flags of the thread stay, and all are as before in the end, whatever happens."""
    system = Personality(monkeypatch, 0x8)
    seen = []

    def fails():
        with steady_addresses() as done:
            seen.append((done, system.flags))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert seen == [(True, 0x8 | FIXED)]
    assert system.flags == 0x8


@pytest.mark.parametrize("refused", [ASK, 0x8 | FIXED])
def test_where_the_system_refuses_all_is_as_ever(monkeypatch, refused):
    """Containers may forbid to ask, or to change it: it is asked no more, and processes start."""
    system = Personality(monkeypatch, 0x8, refuses=(refused,))
    with steady_addresses() as done:
        assert not done
    assert system.flags == 0x8
    assert system.asked[-1] == refused


@pytest.mark.parametrize("platform", ["darwin", "linux"])
def test_a_system_without_the_call_is_left_alone(monkeypatch, platform):
    """Another system than Linux is not asked, nor is a library that has no such function."""
    monkeypatch.setattr(steady.sys, "platform", platform)

    class Library:
        def __init__(self, name):
            assert platform == "linux"

    monkeypatch.setattr(steady.ctypes, "CDLL", Library)
    with steady_addresses() as done:
        assert not done
