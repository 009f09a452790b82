"""The schema's numbered versions, as Alembic applies them."""

HEAD = "0001"
"""The newest of them."""
