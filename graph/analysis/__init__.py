"""Networks taken from a snapshot, measures on them and reports (floor 3)."""
