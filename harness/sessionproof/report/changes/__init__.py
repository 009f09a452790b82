"""Two runs beside each other: what the second says otherwise than the first."""
