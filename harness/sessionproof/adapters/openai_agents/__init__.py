"""OpenAI Agents SDK: five kinds of session on an SQLite file, driven by the same five calls."""
