"""The graph and everything that keeps, checks and analyses it (floors 0 to 3)."""
