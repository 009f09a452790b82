"""Tells the workflow what ``sessionproof run`` said: outputs, warnings of the baseline.

Reads the exit code from CODE, and ``result.json`` from the folder REPORT.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from workflow import annotate, give_outputs, show


def main() -> None:
    """Set the outputs of the step; a run without a result has its exit code for a verdict."""
    code, file = os.environ["CODE"], Path(os.environ["REPORT"]) / "result.json"
    if not file.exists():
        verdict = f"Not judged (exit code {code}): the job's log says why."
        show([verdict])
        give_outputs(exit_code=code, verdict=verdict, broken="")
        return
    result = json.loads(file.read_text("utf-8"))
    rows, baseline = result["guarantees"], result["baseline"] or {}
    new = [row for row in rows if row["verdict"] == "broken" and row["known"] is None]
    broken = " ".join(row["id"] for row in new if row["gated"])
    give_outputs(exit_code=code, verdict=result["verdict"], broken=broken)
    for problem in baseline.get("problems", []):
        annotate("warning", problem)
    for name in baseline.get("mended", []):
        annotate("warning", f"{name} holds now: strike it from the baseline")


if __name__ == "__main__":
    main()
