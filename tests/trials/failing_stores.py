"""A store that is wrong after a failed write, for those alone who have asked before."""

from fixtures.mutants.io_errors import Lines


class KeepsAnswers(Lines):
    """Reads are answered from memory until an append succeeds; else what had failed is written."""

    def __init__(self, location):
        super().__init__(location)
        self.answers, self.waiting = {}, []

    def append(self, session_id, messages):
        """Append, behind what waits."""
        self._catch_up()
        try:
            super().append(session_id, messages)
        except OSError:
            self.waiting.append((session_id, messages))
            raise
        self.answers.clear()

    def read(self, session_id):
        """As it was answered before, if it was."""
        if session_id not in self.answers:
            self._catch_up()
            self.answers[session_id] = super().read(session_id)
        return [*self.answers[session_id]]

    def _catch_up(self):
        while self.waiting:
            super().append(*self.waiting.pop())
