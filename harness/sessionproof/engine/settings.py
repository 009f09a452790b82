"""What ``[tool.sessionproof]`` in a project's pyproject.toml says."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from sessionproof.engine.plan import BadUsage


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The store that is judged, and its baseline; None where nothing is said."""

    store: str | None = None
    baseline: Path | None = None


def read_settings(file: Path) -> Settings:
    """The settings in this pyproject.toml, none when it has none; raises BadUsage.

    The baseline's path is taken from the folder of the file.
    """
    try:
        value = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return Settings()  # pytest itself says what is wrong with the file
    tool = value.get("tool", {})
    table = tool.get("sessionproof", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise BadUsage(f"tool.sessionproof in {file} must be a table: write [tool.sessionproof]")
    for name, setting in table.items():
        if name not in ("store", "baseline"):
            raise BadUsage(f"[tool.sessionproof] in {file} has no setting {name!r}: "
                           "it takes store and baseline")  # fmt: skip
        if not isinstance(setting, str) or not setting:
            raise BadUsage(f"{name} of [tool.sessionproof] in {file} must be a text")
    baseline = table.get("baseline")
    return Settings(
        store=table.get("store"), baseline=None if baseline is None else file.parent / baseline
    )
