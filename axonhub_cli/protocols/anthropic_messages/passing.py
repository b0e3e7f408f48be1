"""A Messages client's own payload on its way to a Messages upstream, untouched but for what is ours (pitfall 65)."""

from __future__ import annotations

from collections.abc import Mapping

from axonhub_cli.protocols.anthropic_messages.clouds import fitted
from axonhub_cli.protocols.anthropic_messages.fields import NAME, NO_WORD
from axonhub_cli.protocols.anthropic_messages.http import passed_betas
from axonhub_cli.protocols.anthropic_messages.request import allowed
from axonhub_cli.protocols.anthropic_messages.thinking import budgeted, switched_off, unsigned_loop
from axonhub_cli.protocols.base import JSON, NO_HEADERS, Encoded
from axonhub_cli.protocols.claude import UNSIGNED
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.opaque import strip_thinking
from axonhub_cli.protocols.retarget import retarget
from axonhub_cli.vendors import Quirks


def pass_on(payload: JSON, model: str, quirks: Quirks, headers: Mapping[str, str] = NO_HEADERS) -> Encoded:
    """See `base.Codec.pass_on`. Fields that a vendor is known to refuse stay behind with the beta flags they came
    with (pitfall 82); thinking is off where the turn it would go on with was another vendor's (pitfall 66)."""
    stripped, sealed = strip_thinking(payload, unsigned=quirks.unsigned_thinking)
    losses = Losses(NAME, NO_WORD)
    if sealed and budgeted(stripped) and unsigned_loop(stripped["messages"]):
        stripped = switched_off(stripped)
        losses.add("thinking", UNSIGNED)
    kept = allowed(stripped, quirks, losses)
    passed = fitted(retarget(kept, model), quirks, passed_betas(headers, payload, quirks))
    return Encoded(passed, (*sealed, *losses.all()))


def model_names(payload: object) -> list[str]:
    """The ids of `{"data": [{"id": ...}]}`."""
    rows = payload.get("data") if isinstance(payload, dict) else None
    names = [row.get("id") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [name for name in names if isinstance(name, str)]
