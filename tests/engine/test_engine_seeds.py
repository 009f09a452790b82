"""``--seeds``: each test once for each seed, as the seed alone would have it."""

import sys
from types import SimpleNamespace

import pytest
from commands import judge, quick

from sessionproof.contract.claims import Claims
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.engine.assemble import assemble
from sessionproof.engine.plan import Plan
from sessionproof.engine.reproduce import reproduce
from sessionproof.engine.seeds import one_test_each, seed_of
from sessionproof.workload.profiles import PROFILES

# It loses the last message of a batch whose texts have certain lengths together.
STORE = """
from sessionproof.oracle.memory import MemoryStore

class Store(MemoryStore):
    def append(self, session_id, messages):
        if sum(len(str(m.content)) for m in messages) % 97 == 5:
            messages = messages[:-1]
        return super().append(session_id, messages)
"""


def plan(folder, seeds, command="sessionproof run 'cmd:x --seed 3' --seed 3 --profile smoke"):
    """A plan of one row."""
    return Plan(
        store="s", claims=Claims(), declared=True, capabilities=(), version=None,
        profile=PROFILES["smoke"], seed=3, only=("CORE-01",), directory=folder, command=command,
        seeds=seeds,
    )  # fmt: skip


def assembled(planned, records):
    """The result of these records."""
    return assemble(
        planned, records, workers=1, started_at="", timings={}, duration_s=0, environment={}
    )


def broken(seed):
    finding = Finding(anomaly="lost-message", did="d", expected="e", seen="s", script=("pass",))
    return Record(
        guarantee="CORE-01", test=f"t[seed {seed}]", verdict=Verdict.BROKEN, findings=(finding,),
        seed=seed,
    )  # fmt: skip


def test_a_plan_with_seeds_goes_through_json(tmp_path):
    """Workers are told how many there are."""
    assert Plan.from_json(plan(tmp_path, 4).to_json()).seeds == 4


def test_each_seed_is_repeated_by_itself(tmp_path):
    """The run's command has all seeds; a finding's has the one that showed it."""
    result = assembled(plan(tmp_path, 20), [broken(12), broken(14)])
    assert result.command.endswith("--profile smoke --only CORE-01 --seeds 20")
    (finding,) = next(one for one in result.guarantees if one.id == "CORE-01").findings
    assert finding.repeat == (
        "sessionproof run 'cmd:x --seed 3' --seed 12 --profile smoke --only CORE-01"
    )
    (finding,) = assembled(plan(tmp_path, 1), [broken(None)]).guarantees[0].findings
    assert "--seed 3 --profile" in finding.repeat


def test_equal_findings_have_one_script(tmp_path):
    """What twenty seeds show is shown once."""
    records = reproduce(
        "s", [broken(9), broken(10), broken(11)], tmp_path, directory=tmp_path, run=False
    )
    assert [path.name for path in (tmp_path / "repro").iterdir()] == ["CORE-01.py"]
    assert [one.findings[0].reproducer is not None for one in records] == [True, False, False]


def test_only_tests_of_a_store_are_multiplied(tmp_path):
    """Others, which a consumer may have beside them, are run once."""
    asked = []
    metafunc = SimpleNamespace(
        fixturenames=["trial"], parametrize=lambda *given, **named: asked.append((given, named))
    )
    one_test_each(metafunc, plan(tmp_path, 1))
    one_test_each(SimpleNamespace(fixturenames=["tmp_path"]), plan(tmp_path, 3))
    assert not asked
    one_test_each(metafunc, plan(tmp_path, 3))
    ((given, named),) = asked
    assert given == ("trial", range(3, 6))
    assert named["ids"] == ["seed 3", "seed 4", "seed 5"]


def test_the_seed_of_a_test(tmp_path):
    """None where there is one seed, and for what is not a store's test."""
    item = SimpleNamespace(callspec=SimpleNamespace(params={"trial": 5}))
    assert seed_of(item, plan(tmp_path, 3)) == 5
    assert seed_of(item, plan(tmp_path, 1)) is None
    assert seed_of(SimpleNamespace(), plan(tmp_path, 3)) is None
    others = SimpleNamespace(callspec=SimpleNamespace(params={"other": "x"}))
    assert seed_of(others, plan(tmp_path, 3)) is None


def test_a_run_with_seeds(tmp_path):
    """Each seed has a verdict of its own, which the seed alone gives as well."""
    (tmp_path / "mystore.py").write_text(STORE)
    ran = judge(
        tmp_path, "mystore:Store", "--profile", "smoke", "--only", "CORE-01", "--seed", 1,
        "--seeds", 6, "-n", 2,
    )  # fmt: skip
    assert ran.code == 1, ran
    assert "profile smoke, seed 1 and the 5 that follow it" in " ".join(ran.err.split())
    row = ran.guarantee("CORE-01")
    told = {seed: verdict for verdict, seeds in row["seeds"].items() for seed in seeds}
    assert sorted(told) == [1, 2, 3, 4, 5, 6]
    assert "broken with" in row["notes"][0]
    assert "CORE-01 seed 6 " in ran.err
    alone = quick(tmp_path, "mystore:Store", "--seed", 4)
    assert alone.guarantee("CORE-01")["verdict"] == told[4]


@pytest.mark.parametrize("given", ["0", "many"])
def test_a_wrong_number_of_seeds(given, tmp_path):
    """One line, exit code 2."""
    ran = judge(tmp_path, "reference", "--seeds", given)
    assert ran.code == 2
    (line,) = ran.err.splitlines()
    assert "--seeds" in line
    assert sys.executable not in line
