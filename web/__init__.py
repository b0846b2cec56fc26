"""HTTP: one module per family of routes, pages, problems, negotiation (floor 5)."""
