"""What a step learns from: cases, patches, and what is asked for in them."""
