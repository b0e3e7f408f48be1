"""What OpenAI's protocols share of HTTP: how the key is shown, and Azure's dated paths.

https://learn.microsoft.com/azure/foundry/openai/reference (api-key, api-version)
"""

from __future__ import annotations

from urllib.parse import quote

from axonhub_cli.vendors import Quirks


def shown(key: str, quirks: Quirks) -> dict[str, str]:
    """The header with the key; none without a key."""
    if not key:
        return {}
    return {"api-key": key} if quirks.auth == "api-key" else {"authorization": f"Bearer {key}"}


def dated(path: str, quirks: Quirks, deployment: str = "") -> str:
    """The path as Azure's dated API has it, where the channel asks for that: below the deployment, which is what its
    models are called, and with the version."""
    if not quirks.api_version:
        return path
    below = f"/deployments/{quote(deployment, safe='')}" if deployment else ""
    return f"{below}{path}?api-version={quote(quirks.api_version, safe='')}"
