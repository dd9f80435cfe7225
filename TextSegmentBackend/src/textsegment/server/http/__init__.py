"""The HTTP layer: connections, admission, routes and responses."""
