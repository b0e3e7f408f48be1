"""What a person may type for addresses, models, pairs and ranges. Every refusal is wrong usage: exit code 2."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

import typer

from axonhub_cli.cli.text import visible

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOCAL_NAMES = ("localhost", "host.docker.internal")


def check_model(name: str) -> str:
    """A model's name, or a rule's target: anything printable without spaces."""
    if not name or len(name) > 256 or not name.isprintable() or " " in name:
        raise typer.BadParameter(f"{visible(name)!r} is no model name")
    return name


def check_tag(tag: str) -> str:
    """A tag."""
    if not _TAG.fullmatch(tag):
        raise typer.BadParameter(f"{visible(tag)!r} cannot be a tag: letters, digits, `.`, `_` and `-`")
    return tag


def check_variable(name: str) -> str:
    """The name of an environment variable. A key typed here by mistake is not repeated in the error."""
    if not _VARIABLE.fullmatch(name) or name.startswith("sk_"):
        raise typer.BadParameter(
            "that is not the name of a variable; to give the key itself use --api-key-stdin",
            param_hint="--api-key-env",
        )
    return name


def check_base_url(url: str) -> tuple[str, str | None]:
    """The URL without a slash at its end, and a warning where it is not encrypted beyond this machine."""
    parts = _split(url, ("https", "http"), "--base-url")
    if parts.query or parts.fragment:
        raise typer.BadParameter("a base URL has no query and no fragment", param_hint="--base-url")
    plain = url.rstrip("/")
    if parts.scheme == "https":
        return plain, None
    reach = _reach(parts.hostname or "")
    if reach == "public":
        raise typer.BadParameter(
            "http:// is only for this machine and private networks; use https://", param_hint="--base-url"
        )
    if reach == "loopback":
        return plain, None
    return plain, "http:// to another machine: prompts and the key cross your network unencrypted"


def check_proxy(url: str) -> str:
    """An HTTP proxy; `http://` or `https://`."""
    _split(url, ("http", "https"), "--proxy")
    return url.rstrip("/")


def check_network(text: str) -> str:
    """An address or a CIDR range, in its usual spelling."""
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise typer.BadParameter(
            f"{visible(text)!r} is no address or range; write for example 10.0.0.0/8 or ::1", param_hint="--allow-ip"
        ) from None


def split_pair(text: str, option: str, example: str) -> tuple[str, str]:
    """`NAME=VALUE` at the first `=`."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise typer.BadParameter(f"{visible(text)!r} has no `=`; write {option} {example}", param_hint=option)
    return name.strip(), value.strip()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    return _reach(host) == "loopback"


def _split(url: str, schemes: tuple[str, ...], option: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise typer.BadParameter("that is not a URL", param_hint=option) from None
    if parts.scheme not in schemes or not parts.hostname or not url.isprintable() or " " in url:
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise typer.BadParameter(f"it must be a URL that starts with {wanted}", param_hint=option)
    if parts.username is not None or parts.password is not None:
        raise typer.BadParameter("a URL must not hold a user name or password", param_hint=option)
    return parts


def _reach(host: str) -> str:
    """`loopback`, `private` or `public`."""
    name = host.strip("[]").lower().rstrip(".")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        if name == "localhost" or name.endswith(".localhost"):
            return "loopback"
        local = "." not in name or name in _LOCAL_NAMES or name.endswith((".local", ".lan", ".internal", ".home.arpa"))
        return "private" if local else "public"
    if address.is_loopback:
        return "loopback"
    return "private" if address.is_private and not address.is_unspecified else "public"
