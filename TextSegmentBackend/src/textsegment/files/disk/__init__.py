"""Files and folders whatever they contain: names, paths, traversal, and writing all or nothing."""
