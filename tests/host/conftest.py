"""What holds for every test of the host."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _nothing_is_left():
    """Whatever a test does to a store's process, no descriptor of ours stays open."""
    before = _descriptors()
    yield
    assert _descriptors() == before


def _descriptors():
    return {entry.name for entry in Path("/dev/fd").iterdir()}
