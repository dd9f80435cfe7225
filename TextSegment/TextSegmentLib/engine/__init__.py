"""Sources of masks: an engine on this computer, on a server, or provided by a script."""
