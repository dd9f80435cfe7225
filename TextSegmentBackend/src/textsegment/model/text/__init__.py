"""Text encoders, their tokenizer, and embedding tables: from the text of a prompt to a vector."""
