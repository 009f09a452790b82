"""``sessionproof bench``: measuring stores, comparing versions, keeping what was measured."""
