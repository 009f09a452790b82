"""What is told of a store before its run: whether its sessions begin with messages."""

import json

import pytest

from sessionproof.engine.describe import describe
from sessionproof.host.client import python_store_command
from sessionproof.workload.profiles import Deadlines


def described(store, directory):
    """What is written last of the store of this name."""
    written = []
    describe(store, Deadlines(operation_s=5, open_s=10), directory, written.append)
    return json.loads(json.dumps(written[-1]))


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("sessionproof.oracle.memory:MemoryStore", True),
        ("empty_creations:HasNoPlace", False),
        ("empty_creations:Says", False),
        ("empty_creations:Silent", False),
        ("empty_creations:Limited", True),
    ],
)
def test_whether_a_creation_takes_messages_is_found_out(name, takes, tmp_path):
    """By its parameters, or by its saying that it cannot express them; no other error counts."""
    assert described(name, tmp_path)["claims"]["limits"]["first_messages"] is takes


@pytest.mark.parametrize("name", ["HasNoPlace", "Silent"])
def test_it_is_found_out_in_another_process(name, tmp_path):
    """A Python store behind the protocol is described as it is without."""
    command = " ".join(python_store_command(f"empty_creations:{name}"))
    seen = described(f"cmd:{command}", tmp_path)
    assert seen["claims"]["limits"]["first_messages"] is False
    assert "create" in seen["capabilities"]
