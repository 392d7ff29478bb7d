"""The demo draws in every precision, in a worker of its own; and what a broken device would draw is noticed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from pipeline import proof
from pipeline.errors import EngineFailed, InvalidRequest
from pipeline.events import SavedImage
from pipeline.proof import PRECISIONS, SAME, prove
from pipeline.settings import Settings
from tests.gallery.pictures import NOON, make_recipe


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


SLOPE = png(Image.linear_gradient("L").convert("RGB"))


def shot(data: bytes, precision: str = "none", held: str = "none") -> proof._Shot:
    image = SavedImage(
        id="a", job_id="j", index=0, path=Path("a.png"), recipe=make_recipe(quantization=held), created_at=NOON
    )
    return proof._Shot("cpu", precision, image, data)  # type: ignore[arg-type]


def test_every_precision_draws_the_same_picture_and_leaves_no_trace(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, outputs=tmp_path / "outputs", cache=tmp_path / "cache", device="cpu")
    tried: list[str] = []
    proofs = prove(settings, tried.append)
    on_cpu = [one for one in proofs if one.device.startswith("cpu")]
    assert [one.quantization for one in on_cpu] == list(PRECISIONS)
    assert len(tried) == len(proofs)
    assert all(one.ok for one in proofs), proofs
    full, eight, four = on_cpu
    assert full.psnr is None
    assert (eight.psnr or 0) > (four.psnr or 0) > SAME
    assert (full.weight_bytes or 0) > (eight.weight_bytes or 0) > (four.weight_bytes or 0) > 0
    assert len({one.sha256 for one in on_cpu}) == 3
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("attempt", "ok", "finding"),
    [
        (shot(SLOPE), True, "It draws."),
        (shot(png(Image.new("RGB", (256, 256), "black"))), False, "blank"),
        (shot(png(Image.linear_gradient("L").rotate(90).convert("RGB"))), False, "not the one that the processor"),
        (shot(SLOPE, "nf4", "int8"), False, "It was drawn in int8."),
        (proof._Shot("mps", "int8", error=InvalidRequest("No kernel.", "Choose nf4.")), None, "No kernel. Choose nf4."),
        (proof._Shot("cuda:0", "none", error=EngineFailed("It broke.")), False, "It broke."),
    ],
)
def test_each_attempt_is_judged_with_its_reason(attempt: proof._Shot, ok: bool | None, finding: str) -> None:
    judged = proof._judged(attempt, shot(SLOPE))
    assert judged.ok is ok
    assert finding in judged.finding
