"""What is remembered: rows to entities and back. All SQL is here."""
