"""A process that ends a server when whoever started it is gone, however that ended."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# Nothing is ever written into the pipe: its end is our end.
_SCRIPT = """
read -r _
kill -INT "$0"
n=0
while kill -0 "$0" && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
rm -rf "$1"
"""


class Watcher:
    """Stops the process of this id, and removes the folder, once our own process has ended."""

    def __init__(self, pid: int, folder: Path) -> None:
        theirs, self._ours = os.pipe()
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, str(pid), str(folder)],
                stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a terminal is not for it
            )  # fmt: skip
        except BaseException:
            os.close(self._ours)
            raise
        finally:
            os.close(theirs)

    def dismiss(self) -> None:
        """End it; it does nothing any more."""
        self._process.kill()
        self._process.wait()
        os.close(self._ours)
