"""GraphQL derived from the model: types, selection, plan, execution (floor 4)."""
