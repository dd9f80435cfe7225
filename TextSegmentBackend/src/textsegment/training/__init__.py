"""Training: of the published recipe, of the demonstration model, and of models for a site."""
