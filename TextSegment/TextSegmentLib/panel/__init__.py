"""The panel: widgets and their wiring."""
