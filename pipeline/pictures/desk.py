"""Where pictures are laid that requests work from: taken from files, the gallery or a script, and looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from PIL import Image

from pipeline.errors import InvalidRequest, NotFound
from pipeline.events import SavedImage
from pipeline.pictures.decode import Decoded, decode_cutout, decode_mask, decode_picture
from pipeline.pictures.edges import HIGH, LOW, canny
from pipeline.pictures.fit import Size, covering
from pipeline.pictures.patches import black_and_white
from pipeline.pictures.store import InputStore
from pipeline.request import GenerationRequest

Source = bytes | Path | Image.Image | SavedImage
"""A file's bytes, a file, an open picture, or one of the gallery."""


class Taken(NamedTuple):
    """A picture that can be named in a request."""

    id: str
    width: int
    height: int
    notes: tuple[str, ...] = ()
    """A sentence for each thing that was done to it."""


class Takes(Protocol):
    """Whoever takes pictures in."""

    def take(self, source: Source) -> Taken: ...
    def take_mask(self, source: Source) -> Taken: ...


def named(fields: Mapping[str, Any], desk: Takes) -> dict[str, Any]:
    """The fields of a request, where `image`, `mask` and the `image` of each of the `controls` may be pictures instead
    of ids; `desk` takes them in."""
    found = dict(fields)
    for name, take in (("image", desk.take), ("mask", desk.take_mask)):
        if isinstance(found.get(name), Source):
            found[name] = _naming(name, take, found[name]).id
    if isinstance(found.get("controls"), Iterable):
        found["controls"] = [_control(use, desk) for use in found["controls"]]
    return found


class Desk:
    """Takes pictures into `store`, and looks at those that a request names."""

    def __init__(self, store: InputStore, max_pixels: int, png: Callable[[str], bytes]) -> None:
        """`png` gives the file of a picture of the gallery by its id."""
        self.store, self._max_pixels, self._png = store, max_pixels, png

    def take(self, source: Source) -> Taken:
        """Keep a picture to work from. Raises `InvalidRequest` for what is none, and `OutputUnwritable`."""
        return self._keep(decode_picture(self._read(source), self._max_pixels))

    def take_mask(self, source: Source) -> Taken:
        """Keep a mask, white where something is drawn anew. Raises as `take` does."""
        return self._keep(decode_mask(self._read(source), self._max_pixels))

    def take_cutout(self, source: Source) -> Taken:
        """Keep a mask that is brought along as a picture, transparent where something is drawn anew. Raises as `take`
        does."""
        return self._keep(decode_cutout(self._read(source), self._max_pixels))

    def take_edges(self, source: Source, low: float = LOW, high: float = HIGH, size: Size | None = None) -> Taken:
        """Keep the edges of a picture, found between the thresholds `low` and `high`, as a map for a ControlNet.

        The picture is first brought to where it just covers `size`, at which the map is to be followed: lines have the
        width that nets know only where they are found at that size. Raises as `take` and `canny` do.
        """
        decoded = decode_picture(self._read(source), self._max_pixels)
        image = decoded.image if size is None else covering(decoded.image, size)
        edges = canny(image, low, high)
        return Taken(self.store.put(edges), *edges.size, decoded.notes)

    def named(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """As the function of that name, with this desk."""
        return named(fields, self)

    def check(self, request: GenerationRequest) -> None:
        """Raise `NotFound` for a picture of `request` that is not here, `InvalidRequest` for a mask that cannot be
        meant."""
        for name in request.input_ids:
            if not self.store.has(name):
                message = "A picture that this needs is not here (any more)."
                field = "image" if name in {request.image, request.mask} else "controls"
                raise NotFound(message, "Bring it along once more.", field=field)
        if request.mask is not None:
            self._check_mask(request.mask)

    def check_size(self, size: Size, field: str) -> None:
        """Raise `InvalidRequest` for a finished picture of more pixels than are allowed."""
        width, height = size
        if width * height > self._max_pixels:
            message = f"The picture would have {width:,} × {height:,} pixels, more than {self._max_pixels:,}."
            remedy = "Take a smaller factor or picture, or raise DARKROOM_MAX_INPUT_PIXELS."
            raise InvalidRequest(message, remedy, field=field)

    def _keep(self, decoded: Decoded) -> Taken:
        return Taken(self.store.put(decoded.image), *decoded.image.size, decoded.notes)

    def _check_mask(self, name: str) -> None:
        least, most = black_and_white(self.store.get(name)).getextrema()
        if most == 0:
            message = "The mask is empty, so nothing would change."
            raise InvalidRequest(message, "Paint over the part that is to be drawn anew.", field="mask")
        if least == 255:
            message = "The mask covers the whole picture, so nothing of it would stay."
            raise InvalidRequest(message, "Leave a part of it free, or work without a mask.", field="mask")

    def _read(self, source: Source) -> bytes | Image.Image:
        if isinstance(source, bytes | Image.Image):
            return source
        if isinstance(source, SavedImage):
            return self._png(source.id)
        return read_file(source)


def read_file(path: Path) -> bytes:
    """The bytes of a picture's file. Raises `InvalidRequest` for one that cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise InvalidRequest(message, "Check its name and that it may be read.", field="image") from None


def _control(use: Any, desk: Takes) -> Any:
    """A use of a ControlNet that names its map by the id."""
    if isinstance(use, Mapping) and isinstance(use.get("image"), Source):
        return {**use, "image": _naming("controls", desk.take, use["image"]).id}
    return use


def _naming(field: str, take: Callable[[Source], Taken], source: Source) -> Taken:
    """`take(source)`, whose error names the field."""
    try:
        return take(source)
    except InvalidRequest as error:
        raise InvalidRequest(error.info.message, error.info.remedy, field=field) from None
