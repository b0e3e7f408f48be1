"""Where each trace sticks, remembered in memory and kept by the store."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from axonhub_cli.entities import Binding
from axonhub_cli.server.log import Rarely
from axonhub_cli.server.recorder import Recorder

_MOST = 20_000


class BindingSource(Protocol):
    """The part of the store that is read here."""

    def binding(self, api_key_id: str, trace_id: str) -> Binding | None: ...


class Bindings:
    """`shared`: other processes bind traces too, so that memory alone is not trusted."""

    def __init__(self, source: BindingSource, recorder: Recorder, *, shared: bool) -> None:
        self._source, self._recorder, self._shared = source, recorder, shared
        self._known: OrderedDict[tuple[str, str], Binding | None] = OrderedDict()
        self._warning = Rarely()

    def get(self, api_key_id: str, trace_id: str | None) -> Binding | None:
        """Two keys never see each other's (reliability S21)."""
        if trace_id is None:
            return None
        name = api_key_id, trace_id
        if name in self._known and not self._shared:
            self._known.move_to_end(name)
            return self._known[name]
        try:
            found = self._source.binding(api_key_id, trace_id)
        except Exception as error:
            self._warning.warn(f"the store cannot be read: {error}")
            return self._known.get(name)
        self._remember(name, found)
        return found

    def bind(self, binding: Binding) -> None:
        """After an answer. Writes only what changed."""
        name = binding.api_key_id, binding.trace_id
        known = self._known.get(name)
        if known is None or _target(known) != _target(binding):
            self._remember(name, binding)
            self._recorder.binding(binding)

    def _remember(self, name: tuple[str, str], binding: Binding | None) -> None:
        self._known[name] = binding
        self._known.move_to_end(name)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)


def _target(binding: Binding) -> tuple[str, str | None, str]:
    return binding.channel_id, binding.upstream_key_id, binding.model
