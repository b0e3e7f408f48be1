"""The neutral model of a conversation with a language model; it knows no wire format."""
