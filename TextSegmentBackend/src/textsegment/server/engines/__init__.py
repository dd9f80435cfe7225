"""What computes behind the server."""
