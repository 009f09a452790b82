"""How long the package and the command take to start: the best of ten, in milliseconds.

Run it as ``python benchmarks/startup.py``. It ends with 1 when one is beyond its budget. What the
tests hold is not this, but that nothing heavy is imported (tests/cli/test_cli_startup.py).
"""

from __future__ import annotations

import subprocess
import sys
import time

BUDGETS_MS = {
    "import sessionproof": (["-c", "import sessionproof"], 150),
    "sessionproof --help": (["-m", "sessionproof", "--help"], 300),
}
_TIMES = 10


def best_ms(arguments: list[str]) -> float:
    """Milliseconds of the fastest of ten interpreters with these arguments."""
    times = []
    for _ in range(_TIMES):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times) * 1_000


def main() -> int:
    """Print what each start took, beside an interpreter that does nothing, and its budget."""
    sys.stdout.write(f"{'python alone':<24}{best_ms(['-c', 'pass']):>6.0f} ms\n")
    beyond = False
    for name, (arguments, most) in BUDGETS_MS.items():
        took = best_ms(arguments)
        beyond |= took > most
        sys.stdout.write(f"{name:<24}{took:>6.0f} ms of at most {most}\n")
    return int(beyond)


if __name__ == "__main__":
    sys.exit(main())
