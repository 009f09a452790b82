"""LlamaIndex's chat stores: in one JSON file, and in tables of SQLite."""
