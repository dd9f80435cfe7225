"""The run section: the button, the progress, and the runs that wait."""
