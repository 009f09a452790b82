"""The search with models of its own: it knows no sessions, and what it may leave out."""

from sessionproof.checks.models import Known, Operation, SessionModel
from sessionproof.checks.search import explained
from sessionproof.history.columns import F


class Register:
    """A number that is set and read: a model with nothing of sessions."""

    def init(self):
        return (0,)

    def step(self, state, operation):
        if operation.f == F.READ:
            return (state,) if operation.length == state else ()
        return (operation.n,)

    def pure(self, operation):
        return operation.f == F.READ

    def due(self, state):
        return ()


def test_any_model_can_be_searched():
    """The search knows no sessions: a register is judged by its own steps."""
    write = [Operation(row=at, key=at, f=F.APPEND, inv=0, ret=9, n=at) for at in (1, 2)]
    old = Operation(row=3, key=3, f=F.READ, inv=10, ret=11, length=1)
    new = Operation(row=4, key=4, f=F.READ, inv=12, ret=13, length=2)
    assert explained([*write, old], Register(), limit_s=1.0)
    assert explained([*write, new], Register(), limit_s=1.0)
    assert explained([*write, old, new], Register(), limit_s=1.0) is False


def test_a_write_of_unknown_fate_has_no_end():
    """It may come late, whatever is said of its end; what it must follow may be left out."""
    late = Operation(row=1, key=1, f=F.APPEND, inv=0, ret=1, n=1, must=False, after=7)
    none = Operation(row=2, key=2, f=F.READ, inv=2, ret=3)
    some = Operation(row=3, key=3, f=F.READ, inv=4, ret=5, length=1)
    assert explained([late, none, some], Register(), limit_s=1.0)


def test_what_was_looked_at_once_is_not_looked_at_again():
    """Eight writes in all orders are forty thousand, and their sets are few."""
    steps = []

    class Counted(Register):
        def step(self, state, operation):
            steps.append(operation.key)
            return super().step(state, operation)

    writes = [Operation(row=at, key=at, f=F.APPEND, inv=0, ret=9, n=1) for at in range(8)]
    never = Operation(row=9, key=9, f=F.READ, inv=10, ret=11, length=3)
    assert explained([*writes, never], Counted(), limit_s=9.0) is False
    assert len(steps) < 3_000


def test_what_is_known_of_places_only_saves_work():
    """The model gives the same word without any knowledge of places."""
    some = [
        Operation(row=at, key=at, f=F.APPEND, inv=0, ret=9, ids=(at << 8,), n=1) for at in (1, 2, 3)
    ]
    wrong = Operation(row=9, key=9, f=F.COUNT, inv=10, ret=11, length=4)
    right = Operation(row=9, key=9, f=F.COUNT, inv=10, ret=11, length=3)
    model = SessionModel(creates=True, there=False, known=Known())
    assert explained([*some, right], model, limit_s=1.0)
    assert explained([*some, wrong], model, limit_s=1.0) is False
