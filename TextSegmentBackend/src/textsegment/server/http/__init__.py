"""HTTP: connections, admission, routes and responses."""
