"""Microsoft Agent Framework: histories in files, as lines of JSON and as records of MessagePack."""
