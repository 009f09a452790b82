"""Agno: the runs of an agent's sessions, on an SQLite file and in JSON files."""
