"""Results of runs: rows made of segments, edits to them, and what can be done with both."""
