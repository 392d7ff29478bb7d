"""The command line: `python -m pipeline generate | replay | verify | chains | models | doctor`.

Results go to stdout and everything else to stderr, so the output can be piped. Exit codes: 0 done, 1 failed (with one
clear line) or found something wrong, 2 called wrongly, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import sys
from typing import NoReturn

try:
    import typer

    from pipeline.commands.chains import app as chains
    from pipeline.commands.doctor import doctor
    from pipeline.commands.generate import generate
    from pipeline.commands.models import app as models
    from pipeline.commands.options import OPTIONS
    from pipeline.commands.replay import replay
    from pipeline.commands.verify import verify
    from pipeline.errors import DarkroomError, InvalidRequest, UnknownModel
except ImportError as missing:
    sys.exit(f"{missing}. Run `make setup` with Python 3.11 or newer, or `pip install -r requirements.txt`.")

app = typer.Typer(
    help="Darkroom: pictures from words, on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(generate)
app.command()(replay)
app.command()(verify)
app.add_typer(chains, name="chains")
app.add_typer(models, name="models")
app.command()(doctor)


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    try:
        app(prog_name="python -m pipeline")
    except DarkroomError as error:
        typer.echo(f"Error: {_option(error.info.field)}{error.info.sentence}", err=True)
        sys.exit(2 if isinstance(error, InvalidRequest | UnknownModel) else 1)
    except ImportError as error:
        typer.echo(f"Error: {error}. Run `python -m pipeline doctor`; it says what is missing.", err=True)
        sys.exit(1)
    sys.exit(0)


def _option(field: str | None) -> str:
    """The option that set the field at fault, if one did."""
    option = OPTIONS.get(field or "")
    return f"{option}: " if option in [argument.split("=")[0] for argument in sys.argv] else ""


if __name__ == "__main__":
    main()
