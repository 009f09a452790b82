"""The contract in memory, obviously right."""
