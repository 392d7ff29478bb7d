"""What OpenAI's clients get back: pictures as base64 or addresses, and what was not done as asked."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence

from pydantic import BaseModel, Field

from api import images
from api.openai.wish import Format, Wish
from pipeline.events import SavedImage
from pipeline.gallery import formats
from pipeline.studio import Studio


class Item(BaseModel):
    """One picture, in the file itself the recipe of it."""

    b64_json: str | None = Field(None, description="The file, in base64.")
    url: str | None = Field(None, description="Where the file is, for as long as the picture is in the gallery.")
    seed: int = Field(description="Of this picture; with it the same request makes it again.")


class Answer(BaseModel):
    """The pictures of one request, in order."""

    created: int = Field(description="Seconds since 1970.")
    data: list[Item]
    size: str
    output_format: Format
    quality: str
    background: str
    warnings: tuple[str, ...] = Field((), description="A sentence for each thing that is not as it was asked for.")


class Fault(BaseModel):
    """What is wrong."""

    message: str
    type: str
    param: str | None = Field(description="The field at fault.")
    code: str = Field(description="Stays the same whatever the message says.")


class Failure(BaseModel):
    """Every answer that is none."""

    error: Fault


def answer(studio: Studio, wish: Wish, pictures: Sequence[SavedImage], warnings: tuple[str, ...], base: str) -> Answer:
    """All of `pictures` as `wish` wants them; `base` is the address of this server, with a slash at its end."""
    data = [_item(studio, wish, picture, base) for picture in pictures]
    return Answer(
        created=int(time.time()),
        data=data,
        size=size_of(pictures[0]),
        output_format=wish.output_format,
        warnings=warnings,
        **made_with(pictures[0]),
    )


def encoded(studio: Studio, wish: Wish, picture: SavedImage) -> str:
    """The file of a picture in the format that is wanted, in base64."""
    data = studio.gallery.png(picture.id)
    if wish.output_format != "png":
        data = formats.export(data, wish.output_format, wish.output_compression)
    return base64.b64encode(data).decode()


def size_of(picture: SavedImage) -> str:
    """Width and height as OpenAI writes them."""
    return f"{picture.recipe.width}x{picture.recipe.height}"


def made_with(picture: SavedImage) -> dict[str, str]:
    """Quality and background of a picture, which only hosted models can choose."""
    options = picture.recipe.options
    background = "transparent" if options.get("background") == "transparent" else "opaque"
    return {"quality": options.get("quality", "auto"), "background": background}


def _item(studio: Studio, wish: Wish, picture: SavedImage, base: str) -> Item:
    item = Item(seed=picture.seed)
    if wish.response_format != "url":
        item.b64_json = encoded(studio, wish, picture)
    if wish.response_format != "b64_json":
        item.url = base.rstrip("/") + _path(wish, picture)
    return item


def _path(wish: Wish, picture: SavedImage) -> str:
    path = f"{images.router.prefix}/{picture.id}/file"
    if wish.output_format == "png":
        return path
    quality = "" if wish.output_compression is None else f"&quality={wish.output_compression}"
    return f"{path}?format={wish.output_format}{quality}"
