"""Words and small pieces of HTML that several parts use."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from urllib.parse import urlencode

from pipeline.jobs.state import Progress
from pipeline.models.planning.plan import Plan
from pipeline.models.registry import ModelRecord
from pipeline.recipe import Recipe
from ui.parts import hosted_recipe


def clipped(prompt: str, length: int = 80) -> str:
    """The beginning of a prompt, cut at a word."""
    if len(prompt) <= length:
        return prompt
    return prompt[:length].rsplit(" ", 1)[0] + " …"


def plain(text: str) -> str:
    """`text` for HTML, with nothing in it taken for markup."""
    return html.escape(text)


_MARKED = re.compile(r"(https?://[^\s]*[^\s.,;:)])|`([^`]+)`")
"""An address or a command inside a sentence."""


def linked(text: str) -> str:
    """`text` for HTML, its addresses as links and its commands as they are typed."""

    def marked(found: re.Match[str]) -> str:
        address, command = found.groups()
        if command:
            return f"<code>{command}</code>"
        return f'<a href="{address}" target="_blank" rel="noopener">{address.partition("://")[2]}</a>'

    return _MARKED.sub(marked, html.escape(text))


def escaped(text: str) -> str:
    """`text` for Streamlit's Markdown, with nothing in it taken for markup."""
    return "".join(f"\\{character}" if character in "\\`*_{}[]()<>#+-.!|~$:" else character for character in text)


def parameters(record: ModelRecord) -> str:
    """The size of a model, such as `8.0 million parameters`; its family where the parameters are not known."""
    count = sum(record.parameters.values())
    if not count:
        return f"family {record.family}"
    return f"{count / 1e9:.1f} billion parameters" if count >= 1e9 else f"{count / 1e6:.1f} million parameters"


def licence(record: ModelRecord) -> str:
    """The name of the licence as HTML, with a link to its text where there is one."""
    name, url = plain(record.licence.name), plain(record.licence.url)
    link = f'<a href="{url}" target="_blank">{name}</a>' if url else name
    return link + (" · gated" if record.licence.gated else "")


def plan(found: Plan | None) -> str:
    """Whether a model fits, as a line of HTML, and what would if it does not; empty where that cannot be said."""
    if found is None:
        return ""
    more = [*found.warnings, *(f"Would fit: {way}" for way in found.nearest[:1] if not found.fits)]
    words = plain(found.sentence) + "".join(f"<b>{plain(one)}</b>" for one in more)
    kind = "fits" if found.fits else "tight"
    return f'<p class="plan {kind}" title="{plain(found.reason)}"><i></i><span>{words}</span></p>'


def size(count: int) -> str:
    """Bytes as people write them, such as `6.9 GB`."""
    for unit, bytes_each in (("GB", 1e9), ("MB", 1e6)):
        if count >= bytes_each:
            return f"{count / bytes_each:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def left(seconds: float) -> str:
    """A time that is still to come, in a few words."""
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"


def elsewhere(now: Progress) -> str:
    """What a provider that was asked is at."""
    return f"{now.provider}: waits for other tasks of the account" if now.crowded else f"{now.provider} is drawing"


def facts(recipe: Recipe) -> list[str]:
    """What made a picture, in a few words each."""
    if recipe.hosted is not None:
        return hosted_recipe.facts(recipe, recipe.hosted)
    return [
        f"{recipe.width} × {recipe.height}",
        f"{recipe.num_inference_steps} steps",
        f"guidance {recipe.guidance_scale:g}",
        f"seed {recipe.seed}",
        f"{recipe.seconds:.1f} s",
    ]


def deed(recipe: Recipe) -> str:
    """How a picture came of the one before it, in a few words."""
    upscale, words = recipe.upscale, "drawn"
    if recipe.image is not None:
        part = "extended" if recipe.outpaint else "repainted in part" if recipe.mask else "changed"
        words = f"{part} ({recipe.strength:g})" if recipe.strength else part if recipe.hosted else ""
    enlarged = f"enlarged × {upscale.factor}" if upscale else ""
    return ", ".join(filter(None, (words, enlarged)))


UPLOADS = "/api/v1/uploads"
"""Where pictures to work from are brought and fetched."""


def upload_url(upload_id: str) -> str:
    """The address of a picture to work from on this server."""
    return f"{UPLOADS}/{upload_id}"


def file_url(image_id: str, *, download: bool = False, kind: str = "png") -> str:
    """The address of a picture's file on this server: the PNG as it was saved, or a `jpeg` or `webp` made from it."""
    given = {"download": "1"} if download else {}
    query = urlencode(given | ({"format": kind} if kind != "png" else {}))
    return f"/api/v1/images/{image_id}/file" + (f"?{query}" if query else "")


def thumbnail_url(image_id: str, side: int = 256) -> str:
    """The address of a picture's thumbnail on this server, at most `side` pixels wide and high."""
    return f"/api/v1/images/{image_id}/thumbnail" + (f"?side={side}" if side != 256 else "")


def archive_url(image_ids: Iterable[str]) -> str:
    """The address of a ZIP with those pictures."""
    return "/api/v1/images/archive?" + urlencode([("id", image_id) for image_id in image_ids])


def difference_url(first_id: str, second_id: str, gain: int) -> str:
    """The address of a picture of what differs between two pictures of one size, `gain` times as strong."""
    return f"/api/v1/images/{first_id}/difference/{second_id}/map?gain={gain}"


def duration(seconds: float) -> str:
    """About how long something takes, in a few words."""
    if seconds < 1:
        return "less than 1 s"
    return f"about {seconds / 60:.0f} min" if seconds >= 90 else f"about {seconds:.0f} s"
