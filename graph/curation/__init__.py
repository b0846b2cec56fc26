"""The one way to a commit: formats, validation, provenance, the gate (floor 2)."""
