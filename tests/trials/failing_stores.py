"""Stores that are wrong after a failure for some who look, and not for others."""

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


class OpensToRead(Lines):
    """A handle that could not make its file takes no message, as SQLite's do; the next one can."""

    def __init__(self, location):
        self.refuses = False
        try:
            location.path("chat.jsonl").open("ab").close()
        except OSError:
            self.refuses = True
        super().__init__(location)

    def append(self, session_id, messages):
        """Refuse, or append."""
        if self.refuses:
            raise OSError("attempt to write a readonly file")
        super().append(session_id, messages)


class OpensToReadForGood(OpensToRead):
    """The next handle refuses, too."""

    def __init__(self, location):
        super().__init__(location)
        mark = location.path("readonly")
        self.refuses = self.refuses or mark.exists()
        if self.refuses:
            mark.touch()
