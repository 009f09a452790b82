"""The project's own tests: Hypothesis without deadlines, fixtures importable by name."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = str(Path(__file__).parent)
if ROOT not in sys.path:  # stores of fixtures/ are named fixtures.mutants.…:Class
    sys.path.insert(0, ROOT)

os.environ.pop("GITHUB_STEP_SUMMARY", None)  # the runs of tests are no news of the job

settings.register_profile("project", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "project"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the night are skipped on a change: docs/ci.md says which."""
    if "SESSIONPROOF_DEEP" in os.environ:
        return
    for item in items:
        if item.get_closest_marker("night"):
            item.add_marker(pytest.mark.skip(reason="for the night: SESSIONPROOF_DEEP=1"))
