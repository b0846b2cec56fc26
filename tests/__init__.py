"""Tests: one file per module under its name, and those of the house rules."""
