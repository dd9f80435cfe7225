"""What a run has reached: validation, verdict, page."""
