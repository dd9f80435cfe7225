"""Conversion between nodes of the MRML scene and the backend's value types. No Qt."""
