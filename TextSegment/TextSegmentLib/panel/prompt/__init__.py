"""The text box, and the meaning of its text."""
