"""Rules: facts about a series, conditions on them, and explanations."""
