"""What no encoder may drop: without it the request would mean something else."""

from __future__ import annotations

from axonhub_cli.llm.errors import invalid
from axonhub_cli.llm.request import Request


def refuse(request: Request, protocol: str) -> None:
    """Raises Failure, a 400 that names the field, where a translated request cannot be honoured by an upstream that
    speaks `protocol`. Neutral answers are single ones, whatever the two protocols know."""
    if (request.sampling.count or 1) > 1:
        raise invalid("`n` must be 1: this model gives one answer to a request.", "n", "unsupported_value")
    if protocol not in request.extras:
        for field, reason in request.needed.items():
            raise invalid(f"`{field}` cannot be honoured: {reason}.", field, "unsupported_value")
