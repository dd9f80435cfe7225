"""Nodes of the MRML scene as value types, and back. No Qt."""
