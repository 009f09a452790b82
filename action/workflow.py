"""What a workflow is told: warnings beside its log, outputs of the step, the page of the job."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

SUMMARY_BYTES_MOST = 60_000  # GitHub drops the whole page of a step above 1 MiB


def annotate(level: str, text: str) -> None:
    """Show a text as a "warning" or an "error" of the job, whatever it holds."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    sys.stdout.write(f"::{level} title=sessionproof::{escaped}\n")
    sys.stdout.flush()


def give_outputs(**values: str) -> None:
    """Set outputs of the step, each a single line; an underscore of a name stands for a hyphen."""
    lines = (
        f"{name.replace('_', '-')}={' '.join(text.split())}\n" for name, text in values.items()
    )
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
        file.writelines(lines)


def show(texts: Iterable[str]) -> None:
    """Append Markdown to the job's page: what there is room for, in whole lines."""
    whole = "".join(f"\n{text.strip()}\n" for text in texts).encode()
    if len(whole) > SUMMARY_BYTES_MOST:
        whole = whole[: whole.rindex(b"\n", 0, SUMMARY_BYTES_MOST)]
        whole += b"\n\nThe rest is in the report, an artifact of this job.\n"
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("ab") as file:
        file.write(whole)
