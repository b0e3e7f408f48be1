"""`python -m axonhub_cli.cli.completions [FOLDER]` writes the shell completion files; a test compares them."""

from __future__ import annotations

import sys
from pathlib import Path

# Private, but the same in every Typer since 0.12; the public way prints to the terminal of a detected shell.
from typer._completion_shared import get_completion_script

FILES = {"axonhub.bash": "bash", "_axonhub": "zsh", "axonhub.fish": "fish", "axonhub.ps1": "pwsh"}

# Typer's zsh file defines its function only; found through fpath, it has to run it the first time, too.
_AFTER = {"zsh": '\n[ "$funcstack[1]" = _axonhub ] && _axonhub_completion "$@"\n'}


def script(shell: str) -> str:
    """The file for one shell: it asks the program itself at each Tab, so that names of channels, profiles, keys
    and models complete too."""
    text = get_completion_script(prog_name="axonhub", complete_var="_AXONHUB_COMPLETE", shell=shell)
    return text.strip() + "\n" + _AFTER.get(shell, "")


def main(folder: Path) -> None:
    """Writes all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, shell in FILES.items():
        (folder / name).write_text(script(shell), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "completions"))
