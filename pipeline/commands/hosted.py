"""`models add-server` and `models remove-server`: servers of one's own choice that speak as OpenAI does."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from pipeline.commands.display import print_json
from pipeline.commands.options import Json, open_studio


def add_server(
    url: Annotated[str, typer.Argument(help="Its address, such as http://192.168.1.5:8501.")],
    name: Annotated[str, typer.Option("--name", help="What it is called here; else its host.")] = "",
    key_variable: Annotated[
        str, typer.Option("--key-variable", metavar="NAME", help="The variable with its key, if it asks for one.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Add the models of a server that speaks as OpenAI does, such as another Darkroom; again to see its new ones."""
    with closing(open_studio()) as studio:
        provider = studio.hosted.add_server(url, name, key_variable)
        models = [model.id for model in studio.hosted.models if model.provider == provider.id]
    if as_json:
        print_json({"provider": provider.model_dump(mode="json"), "models": models})
    else:
        typer.echo("\n".join([f"Added {provider.id}, {provider.base_url}, with", *models]))


def remove_server(
    name: Annotated[str, typer.Argument(help="What it is called here.")],
    as_json: Json = False,
) -> None:
    """Forget a server that you added, and its models; the pictures stay."""
    with closing(open_studio()) as studio:
        studio.hosted.remove_server(name)
    if as_json:
        print_json({"id": name, "forgotten": True})
    else:
        typer.echo(f"{name} is no longer known.")
