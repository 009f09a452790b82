"""``python -m sessionproof.bench.handles_main``: what further handles cost in private memory."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from pathlib import Path
from typing import Any

from sessionproof.workload.awaiting import settled

_KINDS = ("Private_Clean:", "Private_Dirty:")


def main() -> None:
    """Write the bytes per handle as the last line; ends in one line on stderr where it cannot."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", action="append", default=[])
    parser.add_argument("store")
    parser.add_argument("location")
    parser.add_argument("session")
    parser.add_argument("handles", type=int)
    given = parser.parse_args()
    sys.path[:] = given.path or sys.path
    each = asyncio.run(_each(given.store, Path(given.location), given.session, given.handles))
    sys.stdout.write(f"\n{json.dumps(each)}\n")  # after whatever the store has printed


async def _each(name: str, root: Path, session: str, number: int) -> float:
    from sessionproof.contract.location import Location
    from sessionproof.contract.lookup import find_store

    spec, location = find_store(name), Location(root)

    async def opened() -> Any:
        store = await settled(spec.open(location))
        await settled(store.read(session))
        return store

    kept = [await opened(), await opened()]  # the first ones fill what all of them share
    before = private_bytes()
    kept += [await opened() for _ in range(number)]
    after = private_bytes()
    for store in kept:
        await settled(store.close())
    return (after - before) / number


def private_bytes() -> int:
    """The memory of this process that no other has; ends the process where that is not told."""
    gc.collect()
    try:
        lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        sys.exit("this system does not tell the private memory of a process")
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_KINDS))


if __name__ == "__main__":
    main()
