"""Crashes of a store: explored, judged, told."""
