"""Language rules: how typed text is analysed."""
