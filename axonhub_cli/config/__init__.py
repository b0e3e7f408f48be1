"""config.yml and the variables that override it."""

from axonhub_cli.config.model import Config, DatabaseConfig, LogConfig, ServerConfig, TraceConfig, TracesConfig
from axonhub_cli.config.problems import Problem
from axonhub_cli.config.reader import Setting, check, effective, load_config

__all__ = [
    "Config",
    "DatabaseConfig",
    "LogConfig",
    "Problem",
    "ServerConfig",
    "Setting",
    "TraceConfig",
    "TracesConfig",
    "check",
    "effective",
    "load_config",
]
