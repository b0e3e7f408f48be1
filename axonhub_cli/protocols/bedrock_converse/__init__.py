"""Bedrock's Converse: one wire for every model that AWS sells. Only upstreams speak it here, no client does."""

from axonhub_cli.protocols.bedrock_converse.codec import CODEC

__all__ = ["CODEC"]
