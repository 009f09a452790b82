"""What every command that measures is asked: a profile, a location, a folder for its report."""

from __future__ import annotations

from pathlib import Path

from sessionproof.engine.machine import check_location, make_report_folder
from sessionproof.engine.plan import check_profile


def check_asked(*, profile: str, location: Path | None, report: Path) -> None:
    """Raise BadUsage unless they can be used; the report's folder is made."""
    check_profile(profile)
    if location is not None:
        check_location(location)
    make_report_folder(report)
