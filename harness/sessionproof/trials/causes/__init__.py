"""Why operations cost what they cost: counted and sampled in processes of their own."""
