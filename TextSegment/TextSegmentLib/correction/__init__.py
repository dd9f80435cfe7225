"""Corrections of segments: what the user has drawn, carried to the rest by the engine. No Qt."""
