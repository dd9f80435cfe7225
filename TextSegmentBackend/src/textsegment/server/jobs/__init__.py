"""Jobs: their queue, their frames, and what happens when something dies."""
