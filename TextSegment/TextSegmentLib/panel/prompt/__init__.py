"""The text box, and what a text means."""
