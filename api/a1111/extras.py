"""Pictures made larger with no model at all, and the settings inside of pictures."""

from __future__ import annotations

import html

from fastapi import Request
from pydantic import BaseModel

from api import waiting
from api.a1111.access import CallerDep, routes
from api.a1111.encoded import decoded, encoded
from api.a1111.fields import Enlargement, ManyToEnlarge, OnePicture, OneToEnlarge
from api.a1111.second_pass import factor_to, whole_factor
from api.access import StudioDep, in_thread
from pipeline.errors import InvalidRequest
from pipeline.gallery import infotext
from pipeline.gallery.metadata import A1111_KEY, read_texts
from pipeline.gallery.restore import check_is_picture
from pipeline.inputs import size_of
from pipeline.jobs.job import Job
from pipeline.request import GenerationRequest, parse_request
from pipeline.studio import Studio

router = routes()

MOST_TEXT = 200_000
"""Characters of settings that are taken apart."""


class OneEnlarged(BaseModel):
    """A picture as base64."""

    image: str
    html_info: str


class ManyEnlarged(BaseModel):
    """Pictures as base64, in the order in which they came."""

    images: list[str]
    html_info: str


class Settings(BaseModel):
    """What a picture says about how it was made."""

    info: str
    """In A1111's text format; empty when it says nothing."""
    items: dict[str, str]
    """Every other text in it."""
    parameters: dict[str, str]
    """`info`, taken apart."""


@router.post("/extra-single-image")
async def enlarge(body: OneToEnlarge, request: Request, studio: StudioDep, caller: CallerDep) -> OneEnlarged:
    """Make a picture larger."""
    [image] = await _enlarged(body, [body.image], request, studio, caller)
    return OneEnlarged(image=image, html_info=_told(body))


@router.post("/extra-batch-images")
async def enlarge_all(body: ManyToEnlarge, request: Request, studio: StudioDep, caller: CallerDep) -> ManyEnlarged:
    """Make several pictures larger, or none where one of them cannot be."""
    files = [file.data for file in body.imageList]
    return ManyEnlarged(images=await _enlarged(body, files, request, studio, caller), html_info=_told(body))


@router.post("/png-info")
async def png_info(body: OnePicture) -> Settings:
    """The settings in a picture of Darkroom or A1111."""
    return await in_thread(lambda: _settings(decoded(body.image, "image")))


@router.post("/interrogate")
async def interrogate() -> None:
    """Refused: no model here describes pictures."""
    message = "No model here describes what a picture shows."
    raise InvalidRequest(message, "The words of pictures that were made here are in them: see /sdapi/v1/png-info.")


async def _enlarged(body: Enlargement, files: list[str], request: Request, studio: Studio, caller: str) -> list[str]:
    """Each picture as a job of its own, so that they take their turns like others'."""
    _check(body)
    if _is_none(body.upscaler_1):
        return await in_thread(lambda: [_unchanged(file) for file in files])
    wishes = await in_thread(lambda: [_wish(body, decoded(file, "image"), studio) for file in files])
    jobs: list[Job] = []
    try:
        for wish in wishes:  # one by one: those before a refused one are taken back
            jobs += [await in_thread(studio.submit, wish, client=caller)]
        made = [image for job in jobs for image in await waiting.pictures(job, request)]
    finally:
        for job in jobs:
            await in_thread(job.cancel)
    return [encoded(await in_thread(studio.gallery.png, image.id)) for image in made]


def _check(body: Enlargement) -> None:
    if body.gfpgan_visibility > 0 or body.codeformer_visibility > 0:
        message, remedy = "Faces are not restored here.", "Leave gfpgan_visibility and codeformer_visibility at 0."
        raise InvalidRequest(message, remedy, field="gfpgan_visibility")
    if body.extras_upscaler_2_visibility > 0 and not _is_none(body.upscaler_2):
        message, remedy = "One upscaler makes a picture larger here.", "Leave upscaler_2 at None."
        raise InvalidRequest(message, remedy, field="upscaler_2")


def _unchanged(file: str) -> str:
    data = decoded(file, "image")
    check_is_picture(data)
    return encoded(data)


def _wish(body: Enlargement, file: bytes, studio: Studio) -> GenerationRequest:
    """What makes the picture in `file` larger, looked at as `Studio.submit` will. Keeps the picture."""
    taken = studio.desk.take(file)
    times = body.upscaling_resize
    if body.resize_mode == 1:
        times = factor_to(size_of(taken.id), (body.upscaling_resize_w, body.upscaling_resize_h))
    upscale = {"factor": whole_factor(times, "upscaling_resize"), "upscaler": body.upscaler_1}
    request = parse_request(prompt="", image=taken.id, strength=0.0, upscale=upscale)
    studio.check(request)
    return request


def _is_none(upscaler: str) -> bool:
    return upscaler.lower() in ("", "none")


def _told(body: Enlargement) -> str:
    """What was done; with the upscaler “None” a picture comes back as it was, as from A1111."""
    if _is_none(body.upscaler_1):
        return "<p>Unchanged: no upscaler was named in upscaler_1.</p>"
    return f"<p>Enlarged by {html.escape(body.upscaler_1)}.</p>"


def _settings(data: bytes) -> Settings:
    check_is_picture(data)
    texts = read_texts(data)
    info = texts.pop(A1111_KEY, "")
    return Settings(info=info, items=texts, parameters=_parsed(info) if len(info) <= MOST_TEXT else {})


def _parsed(info: str) -> dict[str, str]:
    """By the names that A1111 gives them."""
    if not info:
        return {}
    found = infotext.parse(info)
    width, _, height = found.settings.get("Size", "").partition("x")
    size = {"Size-1": width, "Size-2": height} if height else {}
    told = {"Prompt": found.prompt, "Negative prompt": found.negative_prompt, **found.settings, **size}
    # A value may be JSON, in which half a character can stand, and that cannot be sent.
    return {key: value.encode(errors="replace").decode() for key, value in told.items()}
