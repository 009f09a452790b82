"""Steps of transactions and their answers as JSON, and what is wrong with others."""

from __future__ import annotations

import pytest

from sessionproof import Location, Message, NotRepresentable, Receipt, Step
from sessionproof.host.client import open_hosted
from sessionproof.host.values import ANSWERS, params_from_json, params_to_json
from sessionproof.reference import ReferenceStore

SAID = Message("user", "x")
STEPS = [Step("a", (SAID, SAID)), Step("b"), Step("c", ())]


def test_steps_travel():
    """An append has messages, be it none; a read has no such field."""
    sent = params_to_json({"steps": STEPS})["steps"]
    assert ["messages" in one for one in sent] == [True, False, True]
    assert all("session_id" in one for one in sent)
    assert params_from_json({"steps": sent})["steps"] == STEPS


@pytest.mark.parametrize(
    "steps",
    [7, [7], [{}], [{"session_id": 7}], [{"session_id": "a", "messages": "x"}],
     [{"session_id": "a", "message": []}], [{"session_id": "a", "messages": [{"rolle": "x"}]}]],
)  # fmt: skip
def test_what_is_no_step_is_refused(steps):
    """Every problem is told, and nothing is guessed."""
    with pytest.raises(ValueError, match=r"expected|has no field"):
        params_from_json({"steps": steps})


def test_answers_travel():
    """A receipt is an object, what was read is an array, and null is neither."""
    answer, given = ANSWERS["transact"], [Receipt((1,), ("m",)), [SAID], None, []]
    sent = answer.to_json(given)
    assert [type(one) for one in sent] == [dict, list, type(None), list]
    assert answer.from_json(sent) == [Receipt([1], ["m"]), [SAID], None, []]


@pytest.mark.parametrize("value", [None, 7, "x", [7], ["x"], [[7]], [{"seqs": "x"}]])
def test_what_is_no_answer_is_refused(value):
    """By the harness, and by the store's side before it is sent."""
    with pytest.raises(ValueError, match=r"expected|has no field"):
        ANSWERS["transact"].from_json(value)


def test_a_hosted_store_transacts_as_one_in_this_process(tmp_path):
    """All steps or none, with the same answers and the same refusal."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    here = ReferenceStore(tmp_path / "here", durability="process")
    there = open_hosted("reference", Location(tmp_path / "there"))
    try:
        for store in (here, there):
            first, empty, nothing = store.transact(STEPS)
            assert (list(first.seqs), list(empty), list(nothing.seqs)) == ([1, 2], [], [])
            with pytest.raises(type(_refused(here)), match="role"):
                store.transact([Step("b", (SAID,)), Step("b", (Message("nobody", "x"),))])
            assert [*store.transact([Step("b")])] == [[]]
        with pytest.raises(NotRepresentable):
            there.transact([Step("b", (Message("user", {1: 2}),))])  # type: ignore[arg-type]
    finally:
        here.close()
        there.close()


def _refused(store: ReferenceStore) -> Exception:
    """What the store raises for a role that there is not."""
    with pytest.raises(Exception, match="role") as caught:
        store.append("x", [Message("nobody", "x")])
    return caught.value
