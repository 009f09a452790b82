"""The words for transcripts are those of the oracle's tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "oracle"))
