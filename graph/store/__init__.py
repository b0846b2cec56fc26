"""The log and what is derived from it: commits, snapshot, stores, workers (floor 1)."""
