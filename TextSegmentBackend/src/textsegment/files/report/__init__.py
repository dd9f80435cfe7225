"""What is said about a result: figures, pictures and pages."""
