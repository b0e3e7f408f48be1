"""The `axonhub` command, and `python -m axonhub_cli`."""

import sys


def main() -> None:
    """Loads the command line and runs it; a Ctrl-C that comes while it loads is no traceback either."""
    try:
        from axonhub_cli.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
