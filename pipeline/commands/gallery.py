"""`gallery`: the pictures of the outputs folder, found, shown, taken away and brought back."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.markup import escape

from pipeline.commands.completion import suggest_models
from pipeline.commands.display import facts, plain, print_json, print_table, short
from pipeline.commands.options import Json, write_new
from pipeline.errors import InvalidRequest, UnknownModel
from pipeline.gallery.query import MAX_PAGE, ImageQuery
from pipeline.request import invalid_request

if TYPE_CHECKING:
    from pipeline.events import SavedImage
    from pipeline.gallery import Gallery

app = typer.Typer(help="The pictures in the outputs folder.", no_args_is_help=True)
Image = Annotated[str, typer.Argument(metavar="IMAGE", help="Id of a picture, or its file.")]
Images = Annotated[list[str], typer.Argument(metavar="IMAGE…", help="Ids of pictures, or their files.")]
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def _filter(field: str, *names: str, **more: Any) -> Any:
    """An option that describes itself as the field of `ImageQuery` does."""
    return typer.Option(*names, help=ImageQuery.model_fields[field].description, **more)


@app.command("list")
def list_images(
    text: Annotated[str, typer.Argument(metavar="[WORDS]", help=ImageQuery.model_fields["text"].description)] = "",
    model: Annotated[str | None, _filter("model", metavar="ID", autocompletion=suggest_models)] = None,
    since: Annotated[datetime | None, _filter("since", formats=["%Y-%m-%d"])] = None,
    until: Annotated[datetime | None, _filter("until", formats=["%Y-%m-%d"])] = None,
    width: Annotated[int | None, _filter("width", min=1)] = None,
    height: Annotated[int | None, _filter("height", min=1)] = None,
    favourite: Annotated[bool, _filter("favourite", "--favourite")] = False,
    rating: Annotated[int, _filter("min_rating", "--rating", min=0, max=5)] = 0,
    deleted: Annotated[bool, _filter("deleted", "--deleted")] = False,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="How many.")] = 20,
    skip: Annotated[int, typer.Option(min=0, help="How many to leave out before.")] = 0,
    as_json: Json = False,
) -> None:
    """Show pictures, newest first; with --json one object for each."""
    query = _query(
        text=text,
        model=_model_id(model) if model else None,
        since=since.date() if since else None,
        until=until.date() if until else None,
        width=width,
        height=height,
        favourite=favourite,
        min_rating=rating,
        deleted=deleted,
    )
    with _open() as gallery:
        page = gallery.search(query, limit, skip)
    if as_json:
        for image in page.images:
            print_json(_facts(image))
    elif page.total == 0:
        typer.echo("There is no such picture.")
    else:
        print_table([escape(text) for text in _row(image)] for image in page.images)
        if len(page.images) < page.total:
            typer.echo(f"{len(page.images)} of {page.total}; --limit and --skip show the others.", err=True)


@app.command()
def show(image: Image, as_json: Json = False) -> None:
    """Show all that is known about one picture."""
    with _open() as gallery:
        found = gallery.find(_id(image))
        parent, children = gallery.parent(found), gallery.children(found)
    told = _facts(found) | {"made_from": parent and parent.id, "made_of_it": [child.id for child in children]}
    if as_json:
        print_json(told)
    else:
        rows = told.pop("recipe") | told
        print_table([key.replace("_", " "), escape(plain(rows[key]))] for key in rows if rows[key] not in _EMPTY)


@app.command()
def rebuild(as_json: Json = False) -> None:
    """Read every picture of the outputs folder into the index anew, as after a damage or a restored backup. Pictures
    that are added, moved or deleted outside are noticed without it."""
    with _open() as gallery:
        pictures = gallery.rebuild()
    if as_json:
        print_json({"pictures": pictures})
    else:
        typer.echo(f"{pictures} pictures.")


@app.command()
def delete(images: Images) -> None:
    """Delete pictures; for thirty days they can be brought back. Exits with 1 when one was not there."""
    with _open() as gallery:
        ids = [gallery.find(_id(image)).id for image in images]
        deleted = gallery.delete(ids)
    _tell(deleted, ids, "deleted")


@app.command()
def restore(
    images: Annotated[list[str], typer.Argument(metavar="ID…", help="As `gallery list --deleted` shows.")],
) -> None:
    """Bring deleted pictures back. Exits with 1 when one was not among them."""
    with _open() as gallery:
        restored = gallery.restore(images)
    _tell(restored, images, "restored")


@app.command()
def export(
    images: Images,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The ZIP.")] = Path("darkroom.zip"),
) -> None:
    """Write a ZIP with pictures and the text of each."""
    with _open() as gallery:
        pieces = gallery.archive([_id(image) for image in images])
        write_new(output, pieces)
    typer.echo(output)


@contextmanager
def _open() -> Iterator[Gallery]:
    """The pictures on the disk. A studio that runs sees what is changed here."""
    from pipeline.gallery import Gallery
    from pipeline.settings import read_settings

    settings = read_settings()
    with closing(Gallery(settings.outputs, settings.database)) as gallery:
        yield gallery


def _query(**fields: Any) -> ImageQuery:
    try:
        return ImageQuery(**fields)
    except ValidationError as error:
        raise invalid_request(error) from None


def _model_id(name: str) -> str:
    """The id that `name` means; a model that is known no more may have pictures all the same."""
    from pipeline.models.registry import Registry
    from pipeline.settings import read_settings

    settings = read_settings()
    try:
        return Registry.read(settings.models_file, settings.weights, settings.hosted_file).find_any(name).id
    except UnknownModel:
        return name


def _id(image: str) -> str:
    """The id of a picture that is named by it or by its file. Raises `InvalidRequest` for a file of something else."""
    from pipeline.gallery.metadata import read_origin

    if not Path(image).is_file():
        return image
    origin = read_origin(Path(image))
    if origin is None:
        raise InvalidRequest(f"{image} is no PNG that the studio saved.", "Name one that is, or a picture's id.")
    return origin.id


def _facts(image: SavedImage) -> dict[str, Any]:
    told = image.model_dump(mode="json", include={"id", "created_at", "favourite", "rating", "deleted"})
    return facts(image) | told


def _row(image: SavedImage) -> list[str]:
    """Id, time, model, size, marks and the beginning of the prompt."""
    recipe = image.recipe
    size = f"{recipe.width} × {recipe.height}"
    marks = ("♥" if image.favourite else "") + "★" * image.rating
    return [
        image.id,
        f"{image.created_at.astimezone():%Y-%m-%d %H:%M}",
        recipe.model,
        size,
        marks,
        short(recipe.prompt),
    ]


def _tell(done: Collection[str], wanted: Collection[str], word: str) -> None:
    typer.echo(f"{len(done)} {word}.")
    if len(done) < len(set(wanted)):
        raise typer.Exit(1)
