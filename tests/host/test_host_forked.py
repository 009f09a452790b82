"""A process that another one forked."""

import os

import pytest

from sessionproof.host import forked
from sessionproof.host.forked import Forked


@pytest.mark.parametrize(("gone", "said"), [(True, "is gone"), (False, r"nothing within 0\.05 s")])
def test_who_forks_and_does_not_tell_leaves_nothing_open(monkeypatch, gone, said):
    """Whether it is gone or takes too long: one error, and no descriptor is left."""
    monkeypatch.setattr(forked, "_START_S", 0.05)
    told, tell = os.pipe()
    theirs, ours = os.pipe()
    stream = os.fdopen(ours, "wb", 0)
    try:
        if gone:
            os.close(tell)
        with pytest.raises(ChildProcessError, match=said):
            Forked(told, (stream, None, None))
        assert stream.closed
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(told)
    finally:
        os.close(theirs)
        if not gone:
            os.close(tell)
