"""What differs between vendors that speak one protocol: data, not code paths."""

from axonhub_cli.vendors.channels import check_options, protocols, quirks
from axonhub_cli.vendors.clouds import SIGNED
from axonhub_cli.vendors.quirks import ChannelType, Fact, Quirks
from axonhub_cli.vendors.settings import EXTRAS, base_url
from axonhub_cli.vendors.types import CHANNEL_TYPES

__all__ = [
    "CHANNEL_TYPES",
    "EXTRAS",
    "SIGNED",
    "ChannelType",
    "Fact",
    "Quirks",
    "base_url",
    "check_options",
    "protocols",
    "quirks",
]
