"""Run the tour on a PostgreSQL server of its own, which ends with it."""

import sys
from pathlib import Path
from subprocess import run

from sessionproof.faults.servers.binaries import find_binaries, missing
from sessionproof.faults.servers.postgres import PrivateServer

if find_binaries() is None:
    sys.exit(missing())
with PrivateServer.start() as server:
    tour = Path(__file__).with_name("tour.py")
    sys.exit(run([sys.executable, tour, server.url], check=False, timeout=120).returncode)
