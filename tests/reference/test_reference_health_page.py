"""The page on health and upkeep: its code and its commands run, its tables are right."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from sessionproof import Message
from sessionproof.reference import ReferenceStore
from sessionproof.reference.chores.plan import Plan
from sessionproof.reference.chores.tasks import TASKS
from sessionproof.reference.vitals.settings import SETTINGS
from sessionproof.reference.vitals.thresholds import Limit, Thresholds

PAGE = Path(__file__).parents[2] / "docs" / "health.md"
TEXT = PAGE.read_text("utf-8")
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_every_command_runs(tmp_path):
    """In order, in a folder with a store."""
    assert len(COMMANDS) == TEXT.count("```sh") >= 3
    (tmp_path / "chats").mkdir()
    with ReferenceStore(tmp_path / "chats", durability="process") as store:
        store.append("s1", [Message("user", "Hello!")])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for commands in COMMANDS:
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands], cwd=tmp_path, check=False, timeout=120,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
            env={**os.environ, "PATH": path},
        )  # fmt: skip
        assert ended.returncode == 0, f"{commands}\n{ended.stdout}"


def rows(*names: str) -> dict[str, list[str]]:
    """Cells of the lines of tables that begin with one of these names."""
    lines = [line.split("|")[1:-1] for line in TEXT.splitlines() if line.startswith("| `")]
    cells = {line[0].strip(" `"): [cell.strip() for cell in line[1:]] for line in lines}
    return {name: cells[name] for name in names}


def test_the_limits_are_as_documented():
    """The table has the numbers of ``Thresholds``."""
    names = {
        "orphans": "orphans", "counters": "mismatches", "file size": "file_mb",
        "log size": "log_mb", "pool use": "pool_use", "average time": "average_ms",
    }  # fmt: skip
    for name, cells in rows(*names).items():
        limit = getattr(Thresholds(), names[name])
        told = [float(one) for one in re.findall(r"[\d.]+", cells[1].replace(",0", "0"))]
        assert told[:2] == [limit.warning, limit.critical], name
    assert rows("pool waits")["pool waits"][1] == "1, 10 s"
    assert Thresholds().wait_ms == Limit(1_000, 10_000)


def test_every_check_is_documented(tmp_path):
    """Those of an open store, the settings by a row each."""
    with ReferenceStore(tmp_path, durability="process") as store:
        names = {one.name for one in store.health().checks}
    rows(*(name for name in names if not name.startswith("pragma ")))
    assert {one.name for one in SETTINGS} == {name[7:] for name in names if name[:7] == "pragma "}
    for one in SETTINGS:
        assert str(one.reader) in rows(one.name)[one.name][0]


def test_every_task_is_documented():
    """With its interval in words."""
    words = {60: "every minute", 3_600: "hourly", 86_400: "daily", 604_800: "weekly"}
    for name, cells in rows(*TASKS).items():
        seconds = getattr(Plan(), f"{name}_s")
        assert cells[1] == words.get(seconds, f"every {seconds / 86_400:.0f} days"), name
    assert {one.name[:-2] for one in fields(Plan) if one.name.endswith("_s")} == set(TASKS)
