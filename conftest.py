"""The project's own tests: Hypothesis without deadlines, fixtures importable by name."""

import os
import sys
from pathlib import Path

from hypothesis import settings

ROOT = str(Path(__file__).parent)
if ROOT not in sys.path:  # stores of fixtures/ are named fixtures.mutants.…:Class
    sys.path.insert(0, ROOT)

os.environ.pop("GITHUB_STEP_SUMMARY", None)  # the runs of tests are no news of the job

settings.register_profile("project", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "project"))
