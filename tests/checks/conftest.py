"""The words for transcripts are those of the oracle's tests; whole answers are compared."""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "oracle"))
sys.path.append(str(Path(__file__).parent))

import whole_answers
from whole_answers import EAR

WRITES = "SESSIONPROOF_WRITE_ANSWERS" in os.environ
if WRITES and "PYTEST_XDIST_WORKER" in os.environ:
    pytest.exit("answers are written by one process: pytest -n 0", returncode=2)
_written = {}


@pytest.fixture(autouse=True)
def _whole_answers(request):
    """What the checks answered to this test is what was reviewed."""
    if hasattr(request.function, "hypothesis"):  # what it draws is another thing each time
        yield
        return
    EAR.heard = []
    try:
        yield
        answers = whole_answers.kept(EAR.heard)
    finally:
        EAR.heard = None
    module, name = request.module, request.node.name
    if WRITES:
        _written.setdefault(module, {})[name] = answers
    elif answers != whole_answers.reviewed(module.__name__).get(name, []):
        told = "\n".join(answers)
        pytest.fail(
            f"the checks answered otherwise than answers/{module.__name__}.json says; "
            f"if it should: SESSIONPROOF_WRITE_ANSWERS=1 pytest -n 0 tests/checks\n{told}",
            pytrace=False,
        )


def pytest_sessionfinish():
    """Store what was heard."""
    for module, answers in _written.items():
        whole_answers.write(module, answers)
