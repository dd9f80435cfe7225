"""Where masks come from: an engine on this computer, on a server, or given by a script."""
