"""The results section: the table of Slicer with our columns, what is doubtful, and the actions on rows."""
