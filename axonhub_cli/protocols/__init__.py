"""Wire formats, pure: bytes and JSON in, neutral values out, and back. No protocol imports another."""
