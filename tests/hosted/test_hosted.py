"""From a request to saved pictures, by way of a provider."""

from __future__ import annotations

import pytest
from PIL import Image

from pipeline.gallery.verify import verify
from tests.hosted import as_openai
from tests.hosted.conftest import HostedStudio, kept
from tests.hosted.mill import MODEL, REQUEST, Mill, files, made
from tests.hosted.provider_server import ProviderServer, picture


def test_a_hosted_picture_is_saved_with_its_recipe(mill_studio: HostedStudio, mill: Mill) -> None:
    mill.answers(made(1, model="wheel-1-a", request_id="req-1"))
    [image] = mill_studio.generate("a boat", model=MODEL, seed=7, options={"quality": "high"})
    assert image.path is not None
    assert verify(image.path).state == "intact"
    assert image.recipe.hosted is not None
    assert (image.recipe.hosted.model, image.recipe.hosted.request_id) == ("wheel-1-a", "req-1")
    assert image.recipe.options == mill.calls[0].options == {"quality": "high"}
    assert kept(mill_studio) == []


def test_several_pictures_are_ordered_in_calls_of_as_many_as_the_provider_takes(
    mill_studio: HostedStudio, mill: Mill
) -> None:
    images = mill_studio.submit(REQUEST).result()
    assert mill.ordered == [(7, 2), (9, 2), (11, 1)]
    assert [image.seed for image in images] == [7, 8, 9, 10, 11]


def test_transparency_reaches_the_gallery_and_the_hash_is_of_the_colours(mill_studio: HostedStudio, mill: Mill) -> None:
    mill.answers(files(picture(64, 48, (9, 9, 9, 128), "RGBA")))
    [image] = mill_studio.generate("a boat", model=MODEL)
    assert image.path is not None
    with Image.open(image.path) as saved:
        assert (saved.mode, saved.getpixel((0, 0))) == ("RGBA", (9, 9, 9, 128))
    assert verify(image.path).state == "intact"


def test_what_was_made_from_a_transparent_picture_knows_it_also_when_the_index_is_rebuilt(
    mill_studio: HostedStudio, mill: Mill
) -> None:
    mill.answers(files(picture(64, 48, (9, 9, 9, 128), "RGBA")), files(picture(64, 48, "gold")))
    gallery = mill_studio.gallery
    [clear] = mill_studio.generate("a glass boat", model=MODEL)
    [sent_on] = mill_studio.generate("a golden boat", model=MODEL, image=clear)
    [dropped] = mill_studio.generate("a golden boat", model=MODEL, image=clear.path)
    for child in (sent_on, dropped):
        assert child.recipe.origin == clear.recipe
        assert gallery.parent(child) == clear
    assert gallery.rebuild() == 3
    assert gallery.ancestors(gallery.find(sent_on.id)) == [gallery.find(clear.id)]
    assert [child.id for child in gallery.children(gallery.find(clear.id))] == [sent_on.id, dropped.id]


def test_the_picture_and_the_mask_of_a_request_reach_the_adapter(mill_studio: HostedStudio, mill: Mill) -> None:
    image, mask = Image.new("RGB", (64, 48), "navy"), Image.new("L", (64, 48), 255)
    mask.putpixel((0, 0), 0)
    mill_studio.generate("a boat", model=MODEL, image=image, mask=mask)
    [call] = mill.calls
    assert call.image is not None
    assert call.mask is not None
    assert (call.image.mode, call.image.getpixel((0, 0)), call.mask.mode) == ("RGB", (0, 0, 128), "L")


def test_a_key_is_nowhere_to_be_read(
    hosted_studio: HostedStudio,
    provider: ProviderServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    provider.answers(as_openai.images(picture(), picture()))
    [image, _] = hosted_studio.generate("a boat", model=as_openai.MODEL, num_images=2)
    assert provider.asked[0].headers["Authorization"] == "Bearer secret-key"
    told = image.recipe.model_dump_json() + repr(hosted_studio.job(image.job_id).state) + "".join(capfd.readouterr())
    assert "secret-key" not in told
    found = [file for file in hosted_studio.settings.outputs.rglob("*") if file.is_file()]
    assert found
    assert not [file for file in found if b"secret-key" in file.read_bytes()]
