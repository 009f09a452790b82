"""Readers of files that other programs left: what their rows are as sessions and messages."""
