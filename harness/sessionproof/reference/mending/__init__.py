"""Rows that contradict each other, mended by what the audit knows of their schema."""
