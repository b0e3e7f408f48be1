"""Puts defaults, config.yml and variables together, and remembers which of them each value came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from axonhub_cli.config.document import Document, read_document
from axonhub_cli.config.model import Config
from axonhub_cli.config.problems import Problem, did_you_mean
from axonhub_cli.config.values import KEYS, SECTIONS, Value, build, parse, refusal, variable_of, wanted
from axonhub_cli.errors import AxonHubError, ConfigError
from axonhub_cli.files import read_limited

__all__ = ["Setting", "check", "effective", "load_config"]

_LARGEST = 256 * 1024
_HINT = "axonhub config check shows all that is wrong"


class Setting(Struct, frozen=True):
    """One value in force. `source` is `default`, `config.yml:LINE` or the name of a variable."""

    key: str
    value: Value
    source: str


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration in force; a missing file is an empty one. Raises ConfigError with the first mistake."""
    document = _document(path)
    variables, problems = _variables(environ)
    problems = (*document.problems, *problems)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(problems[0].text(path) + more, _HINT)
    return build({**document.values, **variables})


def check(path: Path, environ: Mapping[str, str]) -> list[Problem]:
    """Every mistake in the file and the variables, also variables that look like ours and are not."""
    _, problems = _variables(environ)
    return [*_document(path).problems, *problems, *_strangers(environ)]


def effective(path: Path, environ: Mapping[str, str]) -> list[Setting]:
    """Every key with its value and where that came from, in the order of the documentation. Raises ConfigError."""
    load_config(path, environ)
    document = _document(path)
    variables, _ = _variables(environ)
    return [_setting(key, document, variables, path) for key in KEYS]


def _setting(key: str, document: Document, variables: Mapping[str, Value], path: Path) -> Setting:
    if key in variables:
        return Setting(key, variables[key], variable_of(key))
    if key in document.values:
        return Setting(key, document.values[key], f"{path.name}:{document.lines[key]}")
    return Setting(key, KEYS[key], "default")


def _document(path: Path) -> Document:
    try:
        data = read_limited(path, _LARGEST)
    except FileNotFoundError:
        return Document({}, {}, ())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", "Check its owner and permissions.") from error
    except AxonHubError as error:
        raise ConfigError(error.message, error.hint) from error
    return read_document(data)


def _variables(environ: Mapping[str, str]) -> tuple[dict[str, Value], tuple[Problem, ...]]:
    values: dict[str, Value] = {}
    problems = []
    for key in KEYS:
        name = variable_of(key)
        text = environ.get(name)
        if text is None or (text == "" and not isinstance(KEYS[key], (str, tuple))):
            continue  # `AXONHUB_SERVER_PORT= axonhub …` unsets it
        value = parse(key, text)
        reason = f"expected {wanted(key)}, got {text!r}" if value is None else refusal(key, value)
        if reason or value is None:
            problems.append(Problem(None, None, key, reason or "", name))
        else:
            values[key] = value
    return values, tuple(problems)


def _strangers(environ: Mapping[str, str]) -> list[Problem]:
    known = {variable_of(key) for key in KEYS}
    prefixes = tuple(f"AXONHUB_{section.upper()}_" for section in SECTIONS if "." not in section)
    return [
        Problem(None, None, "", f"not a setting of axonhub{did_you_mean(name, known)}", name)
        for name in sorted(environ)
        if name.startswith(prefixes) and name not in known
    ]
