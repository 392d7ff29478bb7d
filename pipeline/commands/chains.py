"""`chains`: several models in a row, kept under a name; and what `--then` means."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from pipeline.commands.completion import suggest_chains
from pipeline.commands.display import print_json, print_table
from pipeline.commands.options import Json, open_studio, recipe_in
from pipeline.errors import InvalidRequest

app = typer.Typer(help="Several models in a row, kept under a name for `generate --chain`.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=suggest_chains)]
_KEYS = {
    "strength": "strength",
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "width": "width",
    "height": "height",
    "fit": "fit",
    "scheduler": "scheduler",
    "quantization": "quantization",
    "upscale": "upscale",
    "upscaler": "upscale",
    "prompt": "prompt",
    "negative": "negative_prompt",
}
"""What can be said of a stage, and the field that it sets."""
_WORDS = ("prompt", "negative")
_ENLARGING = {"upscale": "factor", "upscaler": "upscaler"}


@app.command("list")
def list_chains(as_json: Json = False) -> None:
    """Show the kept chains and the models in each."""
    with closing(open_studio()) as studio:
        chains = studio.chains.all()
        first = {chain.name: chain.request.model or studio.default.record.id for chain in chains}
    if as_json:
        print_json([chain.model_dump(mode="json") for chain in chains])
    elif not chains:
        typer.echo("No chain is kept yet.")
    else:
        print_table([escape(one.name), " → ".join(one.request.models(first[one.name]))] for one in chains)


@app.command()
def show(name: Name) -> None:
    """Print a chain as the JSON that the API takes."""
    with closing(open_studio()) as studio:
        print_json(studio.chains.find(name).request.model_dump(mode="json", exclude_defaults=True))


@app.command()
def keep(
    name: Name,
    image: Annotated[Path, typer.Argument(metavar="FILE", help="The last picture that the chain made.", exists=True)],
) -> None:
    """Keep what made a picture, and those before it, under a name."""
    from pipeline.chains import chain_of

    recipe = recipe_in(image)
    with closing(open_studio()) as studio:
        kept = studio.chains.keep(name, chain_of(recipe))
    typer.echo(f"“{kept.name}” is kept, with {1 + len(kept.request.then)} stages.")


@app.command()
def remove(name: Name) -> None:
    """Forget a chain. Its pictures stay."""
    with closing(open_studio()) as studio:
        studio.chains.remove(name)


def stage(text: str) -> dict[str, Any]:
    """What `MODEL[,KEY=VALUE…]` means, as fields of a stage; `prompt=` and `negative=` take all that follows. No model
    is the one before. Raises `InvalidRequest`."""
    model, _, rest = text.partition(",")
    fields: dict[str, Any] = {"model": model.strip() or None}
    while rest:
        key, _, value = rest.partition("=")
        if key not in _KEYS:
            raise InvalidRequest(f"“{key}” is nothing that a stage has.", f"It has {', '.join(_KEYS)}.", field="then")
        if key not in _WORDS:
            value, _, rest = value.partition(",")
        else:
            rest = ""
        parts = fields.get("upscale", {}) | {_ENLARGING[key]: value} if key in _ENLARGING else value
        fields[_KEYS[key]] = parts
    return fields
