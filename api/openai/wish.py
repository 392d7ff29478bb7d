"""`Wish`: what OpenAI's clients ask for, and the `GenerationRequest` that it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from pipeline.errors import DarkroomError
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model
from pipeline.request import GenerationRequest, Steps, parse_request

Format = Literal["png", "jpeg", "webp"]


def _is_size(text: str) -> str:
    width, cross, height = text.partition("x")
    if text != "auto" and not (cross and width.isdecimal() and height.isdecimal()):
        raise PydanticCustomError("size", "Write it as WIDTHxHEIGHT in pixels, such as 1024x768, or auto")
    return text


Size = Annotated[str, AfterValidator(_is_size)]
User = Annotated[str, StringConstraints(max_length=200)]


class Wish(GenerationRequest):
    """OpenAI's fields beside our own, which their clients send as `extra_body`. Where both say the same thing, our own
    counts; `null` is as if it were left out."""

    n: int = Field(1, ge=1, le=10, description="How many pictures: `num_images`.")
    size: Size = Field("auto", description="`WIDTHxHEIGHT` in pixels; `auto` is the model's own.", examples=["512x512"])
    steps: Steps = Field(None, description="Another name of `num_inference_steps`.")
    response_format: Literal["url", "b64_json"] | None = Field(None, description="Without it the answer has both.")
    output_format: Format = Field("png", description="Format of the pictures. A PNG is the file of the gallery.")
    output_compression: int | None = Field(None, ge=0, le=100, description="Quality of a JPEG or WebP.")
    stream: bool = Field(False, description="Answer with server-sent events.")
    partial_images: int = Field(0, ge=0, le=3, description="Previews of each picture in a stream, if it takes so long.")
    user: User = Field("", description="Whose turn it is in the queue, where one client asks for many people.")
    safety_identifier: User = Field("", description="The newer name of `user`.")
    quality: str = Field("auto", description="An option of some hosted models, else ignored: `steps` decides.")
    style: str = Field("", description="Ignored: the prompt says it.")
    background: str = Field("auto", description="An option of some hosted models, else ignored: all is opaque.")
    moderation: str = Field("", description="An option of some hosted models, else ignored: nothing is filtered.")
    complexity: str = Field("", description="An option of some hosted models, else ignored.")
    input_fidelity: str = Field("", description="An option of some hosted models, else ignored: `strength` decides.")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        return {name: value for name, value in data.items() if value is not None} if isinstance(data, Mapping) else data

    def request(self, model: Model) -> GenerationRequest:
        """The request in our own words, for the model that it means. Raises `InvalidRequest`."""
        asked: dict[str, Any] = {"num_images": self.n, "num_inference_steps": self.steps}
        if self.size != "auto":
            asked["width"], asked["height"] = map(int, self.size.split("x"))
        given = self.model_dump(include=set(GenerationRequest.model_fields), exclude_unset=True)
        return parse_request(**asked | given | {"options": self._passed_on(model) | self.options})

    @property
    def names(self) -> dict[str, str]:
        """What the client called those of our fields that it has another name for."""
        theirs = {"num_images": "n", "num_inference_steps": "steps", "width": "size", "height": "size"}
        return {own: name for own, name in theirs.items() if own not in self.model_fields_set}

    def ignored(self, model: Model) -> tuple[str, ...]:
        """A sentence for each field that was sent and changes nothing with that model."""
        told = self._theirs.items() - self._passed_on(model).items() - _TRUE
        sentences = [_ignored(name, model) for name in _IGNORED if name in dict(told)]
        if self.partial_images and not self.stream:
            sentences.append("partial_images is ignored without stream.")
        if self.output_compression is not None and self.output_format == "png":
            sentences.append("output_compression is ignored for PNG, which loses nothing.")
        return tuple(sentences)

    @property
    def _theirs(self) -> dict[str, str]:
        """OpenAI's own settings, as far as they were sent."""
        return {name: value for name, value in self.model_dump(include=set(_IGNORED)).items() if value}

    def _passed_on(self, model: Model) -> dict[str, str]:
        """Those that are options of the model."""
        offered = model.options if isinstance(model, HostedModel) else {}
        return {name: value for name, value in self._theirs.items() if name in offered.keys() & self.model_fields_set}


def _ignored(name: str, model: Model) -> str:
    return f"{model.name} has no {name}; it is ignored." if isinstance(model, HostedModel) else _IGNORED[name]


_IGNORED = {
    "quality": "quality is ignored: steps decides how long a picture is worked on.",
    "style": "style is ignored: say it in the prompt.",
    "background": "background is ignored: pictures are opaque.",
    "moderation": "moderation is ignored: nothing is filtered here.",
    "complexity": "complexity is ignored: nothing plans the picture.",
    "input_fidelity": "input_fidelity is ignored: strength decides how much of the picture changes.",
}
_TRUE = {("quality", "auto"), ("background", "auto"), ("background", "opaque")}
"""Values that ask for what is done anyway."""


@contextmanager
def told_as(names: Mapping[str, str]) -> Iterator[None]:
    """Say of every error which of the client's fields is at fault, where `names` has it for one of ours."""
    try:
        yield
    except DarkroomError as error:
        field = names.get(error.info.field or "", error.info.field)
        raise DarkroomError.from_info(error.info.model_copy(update={"field": field})) from None
