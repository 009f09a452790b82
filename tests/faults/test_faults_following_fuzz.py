"""Programs that do anything to files, and what was made of their calls."""

import os

import pytest
from scribbling import script
from traced import same, told, traced

from sessionproof.faults.tracing.strace import why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

SEEDS = range(200) if os.environ.get("SESSIONPROOF_DEEP") else range(3)


@pytest.mark.parametrize("children", [0, 2])
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_program_does_its_files_are_rebuilt(seed, children, tmp_path):
    """All changes together are the real files, for one thread and for children with threads."""
    followed = traced(script(seed, steps=150, children=children), tmp_path)
    assert same(followed, tmp_path), followed.hidden
    assert len(told(followed.changes)) > 50


@pytest.mark.parametrize("seed", SEEDS)
def test_without_reads_nothing_is_wrong_in_silence(seed, tmp_path):
    """The files are rebuilt, or it is said that this was not sure."""
    followed = traced(script(seed, steps=60, children=0), tmp_path, reads=False)
    assert followed.unsure or same(followed, tmp_path), followed.hidden
