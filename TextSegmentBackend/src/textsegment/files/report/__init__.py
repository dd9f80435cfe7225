"""Reports on a result: figures, pictures and pages."""
