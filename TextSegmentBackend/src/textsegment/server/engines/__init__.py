"""Engines, which compute the masks behind the server."""
