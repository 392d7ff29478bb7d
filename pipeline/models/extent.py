"""How large a picture a request has a model work on, told by its sizes alone: before anything is loaded or decoded."""

from __future__ import annotations

import math

from pipeline.inputs import size_of
from pipeline.models.registry import ModelRecord
from pipeline.models.size import SizeRule
from pipeline.pictures.fit import AMPLE, Size, nearest_size
from pipeline.request import GenerationRequest


def most_pixels(request: GenerationRequest, record: ModelRecord) -> int:
    """Pixels of the largest picture, or part of one, that the model draws for `request`; 0 where it draws none.

    To bring a picture along changes nothing else about the memory: a VAE holds less while it encodes than while it
    decodes, because its encoder is narrower at full size.
    """
    if request.task == "enlarge":
        return 0
    sizes = [drawn_size(request, record.size)]
    if request.upscale is not None and request.upscale.strength > 0:
        sizes.append(_refined_window(request, record.size))
    return max(map(math.prod, sizes))


def step_pixels(request: GenerationRequest, record: ModelRecord) -> float:
    """Steps times pixels of all that the model draws for one picture, about, with which time goes; 0 for no drawing."""
    if request.task == "enlarge":
        return 0.0
    steps = request.num_inference_steps or record.steps.default
    work = request.used_strength * math.prod(drawn_size(request, record.size)) * _windows(request, record.size)
    if request.upscale is not None:
        work += request.upscale.strength * math.prod(_drawn(request, record.size)) * request.upscale.factor**2
    return steps * work


def asked_size(request: GenerationRequest, rule: SizeRule) -> Size | None:
    """The size that the request names; one side alone has the native one beside it."""
    if request.width is None and request.height is None:
        return None
    return request.width or rule.native[0], request.height or rule.native[1]


def drawn_size(request: GenerationRequest, rule: SizeRule) -> Size:
    """The size at which the model draws; where it draws patches of several sizes, the largest that it can be."""
    asked = asked_size(request, rule)
    if asked is not None or request.image is None or (request.mask and request.mask_area == "masked"):
        return asked or rule.native
    if request.outpaint is not None:
        return nearest_size(window_in(_canvas(request), rule), rule)
    return nearest_size(size_of(request.image), rule)


def finished_size(request: GenerationRequest, rule: SizeRule) -> Size:
    """The size of the finished picture."""
    factor = request.upscale.factor if request.upscale else 1
    width, height = size_of(request.image) if request.image and request.task == "enlarge" else _drawn(request, rule)
    return width * factor, height * factor


def window_in(canvas: Size, rule: SizeRule) -> Size:
    """The largest window of a canvas in which the model draws at once."""
    free = not rule.shapes and all(rule.min <= side <= rule.max for side in canvas)
    return canvas if free and math.prod(canvas) <= AMPLE * math.prod(rule.native) else rule.native


def drawn_at_once(size: Size, rule: SizeRule) -> bool:
    """Whether the model draws over an enlarged picture of that size as a whole, and not window by window."""
    return not rule.shapes and all(map(rule.fits, size))


def _windows(request: GenerationRequest, rule: SizeRule) -> int:
    """In how many windows a picture is drawn, about: where there are several, each is half new."""
    if request.outpaint is None or request.image is None:
        return 1
    canvas, window = _canvas(request), window_in(_canvas(request), rule)
    missing = math.prod(canvas) - math.prod(size_of(request.image))
    return 1 if window == canvas else max(1, math.ceil(2 * missing / math.prod(window)))


def _refined_window(request: GenerationRequest, rule: SizeRule) -> Size:
    factor = request.upscale.factor if request.upscale else 1
    width, height = _drawn(request, rule)
    large = width * factor, height * factor
    return large if drawn_at_once(large, rule) else rule.native


def _drawn(request: GenerationRequest, rule: SizeRule) -> Size:
    """The size of the picture before it is enlarged."""
    if request.outpaint is not None:
        return _canvas(request)
    if request.image is not None and request.mask and request.mask_area == "masked":
        return size_of(request.image)
    return drawn_size(request, rule)


def _canvas(request: GenerationRequest) -> Size:
    """The size of a picture with its margins."""
    if request.image is None or request.outpaint is None:
        raise ValueError("There is no picture that is continued.")
    (width, height), margins = size_of(request.image), request.outpaint
    return width + margins.left + margins.right, height + margins.top + margins.bottom
