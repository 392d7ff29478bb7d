"""The command line: `python -m pipeline` and the name of a command; `--help` lists them.

Results go to stdout and everything else to stderr, so the output can be piped. Exit codes: 0 done, 1 failed (with one
clear line) or found something wrong, 2 called wrongly, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Annotated, NoReturn

try:
    import typer
    from typer._completion_classes import completion_init

    from pipeline.commands.chains import app as chains
    from pipeline.commands.compare import compare
    from pipeline.commands.completion import COMPLETE_VARIABLE, completion
    from pipeline.commands.doctor import doctor
    from pipeline.commands.examples import PROGRAM, show_below
    from pipeline.commands.gallery import app as gallery
    from pipeline.commands.generate import generate
    from pipeline.commands.jobs import app as jobs
    from pipeline.commands.models import app as models
    from pipeline.commands.options import OPTIONS
    from pipeline.commands.replay import replay
    from pipeline.commands.serve import serve
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
app.command()(compare)
app.add_typer(chains, name="chains")
app.add_typer(jobs, name="jobs")
app.add_typer(gallery, name="gallery")
app.add_typer(models, name="models")
app.command()(serve)
app.command()(doctor)
app.command()(completion)
show_below(app)


def _tell_version(wanted: bool) -> None:
    if wanted:
        project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))
        typer.echo(f"Darkroom {project['project']['version']}")
        raise typer.Exit


@app.callback()
def _about(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    completion_init()  # teaches typer the shells, which it does itself only for its own way to install them
    try:
        app(prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE)
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
