"""`replay`: makes the picture of a file again, with those that it was made from."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.display import JobDisplay
from pipeline.commands.follow import follow
from pipeline.commands.options import Alone, Json, find_studio, recipe_in

File = Annotated[Path, typer.Argument(metavar="FILE", help="A PNG, JPEG or WebP of Darkroom's.", exists=True)]


def replay(image: File, alone: Alone = False, as_json: Json = False) -> None:
    """Make a picture again from what its file says. Exits with 1 when the pixels are not the same."""
    recipe = recipe_in(image)
    with closing(find_studio(alone)) as studio, JobDisplay(as_json) as display:
        follow(studio.replay(recipe, client="shell"), display)
        for made in display.images.values():
            if made.recipe.sha256 != recipe.sha256:
                typer.echo("The pixels are not the same.", err=True)
                raise typer.Exit(1)
