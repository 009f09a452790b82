"""Servers of databases that are killed, and connections to them that are cut, under load."""
