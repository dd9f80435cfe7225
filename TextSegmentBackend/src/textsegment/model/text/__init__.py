"""From the text of a prompt to a vector: encoders, their tokenizer, and tables."""
