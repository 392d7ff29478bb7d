"""Pictures as files for providers."""

from __future__ import annotations

import io

from PIL import Image

from pipeline.hosted.enclose import data_uri, enclosed


def test_a_picture_goes_along_with_every_pixel() -> None:
    image = Image.effect_noise((64, 48), 99).convert("RGB")
    data, kind = enclosed(image, 2**20)
    assert kind == "image/png"
    assert Image.open(io.BytesIO(data)).tobytes() == image.tobytes()


def test_a_picture_that_would_be_too_large_a_file_goes_as_jpeg() -> None:
    image = Image.effect_noise((64, 48), 99).convert("RGB")
    data, kind = enclosed(image, 4096)
    assert (kind, len(data) < len(enclosed(image, 2**20)[0])) == ("image/jpeg", True)
    assert Image.open(io.BytesIO(data)).size == (64, 48)


def test_an_address_of_a_picture_names_its_kind() -> None:
    assert data_uri(Image.new("RGB", (8, 8)), 2**20).startswith("data:image/png;base64,iVBOR")
