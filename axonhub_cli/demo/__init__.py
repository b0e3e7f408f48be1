"""A model that needs no network, for trying the hub and for testing it: the same request, the same answer."""

from axonhub_cli.demo.model import MODELS, reply

__all__ = ["MODELS", "reply"]
