"""The commands. Each parses, calls one function below, and renders."""
