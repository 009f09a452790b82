"""Sessions as they were: what a snapshot holds, how it is kept, and how it is restored."""
