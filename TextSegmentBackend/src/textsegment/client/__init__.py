"""HTTP client for a TextSegment server."""
