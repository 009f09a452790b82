"""Scripts that start a server of their own find what is wrong, and leave nothing of it behind."""

from pathlib import Path

import pytest

from fixtures.mutants.servers import CallsItRefused
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.message import Message
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.engine.reproduce import reproduce
from sessionproof.faults.servers.binaries import find_binaries, missing
from sessionproof.scripts.servers import server_script

pytest.importorskip("psycopg")

_NOTING = """
import subprocess
start = subprocess.Popen.__init__
def noted(self, command, *rest, **more):
    start(self, command, *rest, **more)
    with open({file!r}, "a") as file:
        print(self.pid, file=file)
subprocess.Popen.__init__ = noted
"""


def makers():
    """The ids of the processes that made the shared segments of the machine."""
    lines = Path("/proc/sysvipc/shm").read_text("ascii").splitlines()[1:]
    return {int(line.split()[4]) for line in lines}


@pytest.mark.skipif(find_binaries() is None, reason=missing())
def test_a_script_that_fails_leaves_no_shared_memory(tmp_path, monkeypatch):
    """Its server ends so that it gives back what a killed one would leave to the machine."""
    pids = tmp_path / "pids"
    (tmp_path / "sitecustomize.py").write_text(_NOTING.format(file=str(pids)), "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    lines = server_script(
        Message("user", "hello"), CallsItRefused.claims, kind="cuts", made=["s0 = 'a'"], awaited=()
    )
    finding = Finding(
        anomaly=Anomaly.LOST_MESSAGE, did="", expected="", seen="", script=tuple(lines)
    )
    record = Record(
        guarantee=GUARANTEES["DUR-09"].id, test="t", verdict=Verdict.BROKEN, findings=(finding,)
    )
    name = f"{CallsItRefused.__module__}:{CallsItRefused.__qualname__}"
    (made,) = reproduce(name, [record], tmp_path / "report", directory=tmp_path, attempts=1)
    said = made.findings[0].reproducer
    assert said.fails, said
    assert "refused, and there" in said.said
    started = {int(line) for line in pids.read_text("ascii").split()}
    assert started
    assert not started & makers()
