"""`models cache`: the quantised components on disk."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape

from pipeline.commands.display import print_json, print_table
from pipeline.commands.options import Json, open_studio

app = typer.Typer(help="The quantised components that are kept for a faster start.", no_args_is_help=True)


@app.command("list")
def list_cache(as_json: Json = False) -> None:
    """Show the quantised components on disk."""
    with closing(open_studio()) as studio:
        entries = studio.models.cached()
    if as_json:
        print_json([entry.model_dump(mode="json") for entry in entries])
    elif not entries:
        typer.echo("No quantised component is kept.")
    else:
        print_table(
            [escape(entry.model), escape(entry.component), entry.precision, decimal(entry.bytes)] for entry in entries
        )


@app.command("clear")
def clear_cache(
    name: Annotated[str | None, typer.Argument(metavar="[ID]", help="Only those of this model.")] = None,
    as_json: Json = False,
) -> None:
    """Delete them; they are made again when they are needed."""
    with closing(open_studio()) as studio:
        freed = studio.models.clear_cache(studio.models.find(name).id if name else None)
    if as_json:
        print_json({"freed_bytes": freed})
    else:
        typer.echo(f"{decimal(freed)} deleted.")
