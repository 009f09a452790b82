"""What the health of a store is made of: data, settings, sizes, plans, speed, locks, upkeep."""
