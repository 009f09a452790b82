"""The tasks of upkeep on PostgreSQL, and what was done of them."""
