"""A local hub between coding agents and the models they use."""

__version__ = "0.1.0"
