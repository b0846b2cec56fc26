"""Measures on a projection, one file by subject; `registry.py` lists them (floor 3)."""
