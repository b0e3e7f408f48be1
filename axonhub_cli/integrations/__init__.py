"""Other programs' files and launch settings: text in, text out."""
