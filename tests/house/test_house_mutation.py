"""What may live of mutation testing is explained, and is about lines that are still there."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import mutation

ROOT = Path(__file__).parents[2]
CHECKS = ROOT / "harness" / "sessionproof" / "checks"


@pytest.mark.parametrize("file", sorted(mutation.LIVES.glob("*.toml")), ids=lambda file: file.stem)
def test_what_may_live_is_explained(file: Path) -> None:
    source = (CHECKS / f"{file.stem}.py").read_text("utf-8")
    lines = {line.strip() for line in source.splitlines()}
    for change, why in mutation.explained(file.stem).items():
        gone = [line for line in change.before.splitlines() if line not in lines]
        assert not gone, f"{file.name}: {change.function} has no line {gone[0]!r}"
        assert f"def {change.function.rpartition('.')[2]}(" in source, change
        assert len(why) > 20, f"{file.name}: why does {change} live?"


def test_a_change_is_known_again(tmp_path: Path) -> None:
    (tmp_path / "log.toml").write_text(
        '[[lives]]\nwhy = "both are one"\nchanges = [["f", "a", "b"], ["C.g", "x\\ny", ""]]\n'
    )
    assert mutation.explained("log", tmp_path) == {
        mutation.Change("f", "a", "b"): "both are one",
        mutation.Change("C.g", "x\ny", ""): "both are one",
    }
    assert mutation.explained("none", tmp_path) == {}
