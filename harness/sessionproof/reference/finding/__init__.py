"""Search: texts as words, queries, and the index of both, which follows what is stored."""
