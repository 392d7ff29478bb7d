"""`doctor`: what this installation and this machine can do."""

from __future__ import annotations

import typer
from rich.markup import escape

from pipeline.commands.display import print_json, print_table
from pipeline.commands.options import Json


def doctor(as_json: Json = False) -> None:
    """Check this installation and this machine; exit with 1 if something will not work."""
    from pipeline.doctor import run
    from pipeline.settings import read_settings

    checks = run(read_settings())
    if as_json:
        print_json([check.model_dump() for check in checks])
    else:
        marks = {True: "[green]ok[/]", False: "[red]wrong[/]", None: "note"}
        print_table(
            [marks[check.ok], escape(check.name), escape(f"{check.finding} {check.remedy}".strip())] for check in checks
        )
    if any(check.ok is False for check in checks):
        raise typer.Exit(1)
