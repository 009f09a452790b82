"""Sessions as they were: what a snapshot holds, how it is kept, and how it becomes a session again."""
