"""The page on operations is run as it stands, block by block, with the exit codes that it names."""

import os
import re
import subprocess
import sys
from pathlib import Path

from house_pages import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
BLOCKS = re.findall(r"(?:<!-- exit: (\d+) -->\n)?```sh\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_is_run(tmp_path):
    """Each block does what the page says, in order, in a folder that was empty."""
    assert sum(code == "1" for code, _ in BLOCKS) == PAGE.count("<!-- exit: 1 -->") >= 3
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    here = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"}
    for code, commands in BLOCKS:
        assert not code or commands.count("\n") == 1, "a block that fails is one command"
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands], cwd=tmp_path, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=120,
            env=environment,
        )  # fmt: skip
        assert ended.returncode == int(code or 0), f"{commands}\n{ended.stdout}"
