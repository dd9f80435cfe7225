"""Names of anatomy: structures, terms, resolution."""
