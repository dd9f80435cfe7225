"""Jobs: their queue, their frames, and their recovery."""
