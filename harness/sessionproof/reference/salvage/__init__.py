"""SQLite's files read without SQLite: what is left when it refuses them.

The bytes are only read. What was freed is no data: only cells that a page lists count, on pages
that the file does not call free. The format is described at https://www.sqlite.org/fileformat2.html.
"""
