"""Arms in processes of their own: a store of one version beside a floor, to be timed."""
