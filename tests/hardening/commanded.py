"""Commands run in this process, where a hundred cost what ten cost as processes."""

import io
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from sessionproof.cli.main import entry


def command(*words):
    """What ``sessionproof`` answers: exit code, stdout, stderr. What it raises is not caught."""
    out, err = io.StringIO(), io.StringIO()
    given, ending = sys.argv, signal.getsignal(signal.SIGTERM)
    sys.argv = ["sessionproof", *map(str, words)]
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            entry()
    finally:
        sys.argv = given
        signal.signal(signal.SIGTERM, ending)
    return ended.value.code, out.getvalue(), err.getvalue()
