"""Google ADK's session services: by SQLAlchemy, and straight on an SQLite file."""
