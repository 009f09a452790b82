"""One experiment each: a workload and checks put together against one store."""
