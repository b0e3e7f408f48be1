"""`python -m axonhub_cli`."""

from axonhub_cli.cli.app import main

if __name__ == "__main__":
    main()
