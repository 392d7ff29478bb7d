"""LoRAs and other VAEs: what they change, that nothing of them stays, and a sentence for those that do not fit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pipeline.engine import Engine
from pipeline.errors import InvalidRequest, NotFound
from pipeline.models.registry import ModelRecord
from pipeline.request import parse_request
from tests.checkpoints import SD35, record_for, sd15_checkpoint, sd35_checkpoint, sdxl_checkpoint
from tests.checkpoints.originals import vae_original
from tests.checkpoints.parts import kl_vae, seeded
from tests.engine.conftest import Run

SD15, SDXL = "stable-diffusion-v1-5/stable-diffusion-v1-5", "stable-diffusion-xl-base-1.0"
MAKERS = {SD15: sd15_checkpoint, SDXL: sdxl_checkpoint, SD35: sd35_checkpoint}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights"))


def write_weights(root: Path) -> Path:
    """A folder with two LoRAs for each model, in kohya's layout for UNets and in diffusers' else, and with VAEs."""
    for seed, name in enumerate(("ink", "neon")):
        _write(root / f"loras/{name}-sd15.safetensors", _kohya(_unet_layers(32), seed))
        _write(root / f"loras/{name}-sdxl.safetensors", _kohya(_unet_layers(64, "down_blocks_1_attentions_0"), seed))
        _write(root / f"loras/{name}-sd3.safetensors", _diffusers(seed))
    with seeded(1):
        vae = kl_vae(scaling_factor=0.5)
    _write(root / "vae/one.safetensors", vae_original(vae))
    vae.save_pretrained(root / "vae/folder")
    return root


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelRecord]:
    return tiny_models(tmp_path_factory.mktemp("models"))


def tiny_models(root: Path) -> dict[str, ModelRecord]:
    """The record of each model that those files are for, with a tiny checkpoint as its source."""
    return {name: record_for(make(root / str(place)), name) for place, (name, make) in enumerate(MAKERS.items())}


@pytest.fixture(scope="module")
def studio_engine(cache: Path, weights: Path) -> Iterator[Engine]:
    engine = Engine(cache, weights)
    yield engine
    engine.release()


@pytest.fixture
def run(studio_engine: Engine) -> Callable[..., Run]:
    """Generate with LoRAs given as pairs of name and weight."""

    def go(record: ModelRecord, loras: Sequence[tuple[str, float]] = (), **fields: Any) -> Run:
        uses = [{"name": name, "weight": weight} for name, weight in loras]
        settings = {"prompt": "a red house", "seed": 7, "num_inference_steps": 2} | fields
        request, run = parse_request(**settings, loras=uses), Run()
        run.pictures.extend(studio_engine.generate(request, record, (0,), run.events.append, lambda: False))
        return run

    return go


def _unet_layers(width: int, place: str = "down_blocks_0_attentions_0") -> dict[str, tuple[int, int]]:
    """Layers of the tiny UNets → input and output widths."""
    start, inner = f"lora_unet_{place}_transformer_blocks_0", 64 if "1" in place else 32
    return {
        f"{start}_attn1_to_q": (inner, inner),
        f"{start}_attn2_to_k": (width, inner),
        f"{start}_attn2_to_v": (width, inner),
    }


def _kohya(layers: dict[str, tuple[int, int]], seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for name, (inside, outside) in layers.items():
        tensors[f"{name}.lora_down.weight"] = torch.randn(4, inside, generator=generator)
        tensors[f"{name}.lora_up.weight"] = torch.randn(outside, 4, generator=generator)
        tensors[f"{name}.alpha"] = torch.tensor(4.0)
    return tensors


def _diffusers(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for part in ("to_q", "to_k", "to_v"):
        name = f"transformer.transformer_blocks.0.attn.{part}"
        tensors[f"{name}.lora_A.weight"] = torch.randn(4, 128, generator=generator)
        tensors[f"{name}.lora_B.weight"] = torch.randn(128, 4, generator=generator)
    return tensors


def _write(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


# -- LoRAs


@pytest.mark.parametrize(("name", "family"), [(SD15, "sd15"), (SDXL, "sdxl"), (SD35, "sd3")])
def test_loras_change_the_picture_by_their_weights_and_leave_nothing_behind(
    models: dict[str, ModelRecord], run: Callable[..., Run], name: str, family: str
) -> None:
    record, ink, neon = models[name], f"ink-{family}", f"neon-{family}"
    wishes = [[], [(ink, 1.0)], [(ink, 0.5)], [(neon, 1.0)], [(ink, 1.0), (neon, 0.5)], [(ink, -1.0)]]
    digests = [run(record, wish).digests[0] for wish in wishes]
    assert len(set(digests)) == len(wishes)
    assert run(record).digests[0] == digests[0]
    assert run(record, [(ink, 0.0)]).digests[0] == digests[0]
    assert run(record, wishes[4]).digests[0] == digests[4]


@pytest.mark.parametrize("precision", ["nf4", "int8"])
def test_loras_work_on_quantised_weights_and_leave_nothing_behind(
    models: dict[str, ModelRecord], run: Callable[..., Run], precision: str
) -> None:
    fields = {"quantization": precision, "record": models[SD35]}
    usual, changed, again = run(**fields), run(**fields, loras=[("ink-sd3", 1.0)]), run(**fields)
    assert usual.pictures[0].recipe.components["transformer"].quantization == precision
    assert usual.digests == again.digests != changed.digests


def test_a_records_own_lora_takes_part_where_an_enlarged_picture_is_drawn_over_beside_others(
    models: dict[str, ModelRecord], run: Callable[..., Run], weights: Path
) -> None:
    plain, over = models[SD35], {"factor": 2, "strength": 0.5}
    record = plain.model_copy(update={"detail": str(weights / "loras/neon-sd3.safetensors")})
    for loras in ([], [("ink-sd3", 0.5)]):
        usual, detailed = run(plain, loras, upscale=over), run(record, loras, upscale=over)
        assert detailed.digests != usual.digests
        assert run(record, loras).digests == run(plain, loras).digests
        assert [use.name for use in detailed.pictures[0].recipe.loras] == [name for name, _ in loras]


def test_the_recipe_names_each_lora_with_weight_and_digest(
    models: dict[str, ModelRecord], run: Callable[..., Run], weights: Path
) -> None:
    recipe = run(models[SD15], [("INK-sd15", 0.5)]).pictures[0].recipe
    (use,) = recipe.loras
    digest = hashlib.sha256((weights / "loras/ink-sd15.safetensors").read_bytes()).hexdigest()
    assert (use.name, use.weight, use.sha256) == ("ink-sd15", 0.5, digest)
    assert [(lora.name, lora.weight) for lora in recipe.to_request().loras] == [("ink-sd15", 0.5)]


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        (_kohya({"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k": (99, 32)}, 0), "other sizes"),
        (_kohya({"lora_unet_down_blocks_9_attentions_0_transformer_blocks_0_attn2_to_k": (32, 32)}, 0), "none of its"),
    ],
)
def test_a_lora_that_does_not_fit_after_all_is_told_and_leaves_nothing_behind(
    models: dict[str, ModelRecord],
    run: Callable[..., Run],
    weights: Path,
    tensors: dict[str, torch.Tensor],
    reason: str,
) -> None:
    _write(weights / "loras/odd.safetensors", tensors)
    before = run(models[SD15]).digests
    with pytest.raises(InvalidRequest, match=reason) as caught:
        run(models[SD15], [("ink-sd15", 1.0), ("odd", 1.0)])
    assert caught.value.info.field == "loras"
    assert run(models[SD15]).digests == before


def test_a_lora_that_is_not_there_is_told(models: dict[str, ModelRecord], run: Callable[..., Run]) -> None:
    with pytest.raises(NotFound, match="“nothing” is not there"):
        run(models[SD15], [("nothing", 1.0)])


# -- VAEs


@pytest.mark.parametrize("vae", ["one", "folder"])
def test_another_vae_decodes_the_picture_and_is_gone_afterwards(
    models: dict[str, ModelRecord], run: Callable[..., Run], vae: str
) -> None:
    before = run(models[SD15])
    changed = run(models[SD15], vae=vae)
    assert changed.digests != before.digests
    assert changed.pictures[0].recipe.vae.name == vae
    assert before.pictures[0].recipe.vae is None
    assert run(models[SD15]).digests == before.digests


def test_a_vae_in_one_file_keeps_the_scaling_of_the_model(
    models: dict[str, ModelRecord], run: Callable[..., Run]
) -> None:
    """Its weights are those of the folder, whose configuration has another scaling."""
    assert run(models[SD15], vae="one").digests != run(models[SD15], vae="folder").digests


def test_a_vae_with_other_latents_is_refused(models: dict[str, ModelRecord], run: Callable[..., Run]) -> None:
    with pytest.raises(InvalidRequest, match="has 4 latent channels") as caught:
        run(models[SD35], vae="one")
    assert caught.value.info.field == "vae"


@pytest.mark.parametrize(("shape", "reason"), [((3, 5, 3, 3), "other sizes"), (None, "lacks some of the weights")])
def test_a_vae_that_does_not_fit_is_told_and_the_model_s_own_stays(
    models: dict[str, ModelRecord],
    run: Callable[..., Run],
    weights: Path,
    shape: tuple[int, ...] | None,
    reason: str,
) -> None:
    tensors = vae_original(kl_vae())
    del tensors["decoder.conv_out.weight"]
    if shape is not None:
        tensors["decoder.conv_out.weight"] = torch.zeros(shape)
    _write(weights / "vae/odd.safetensors", tensors)
    before = run(models[SD15]).digests
    with pytest.raises(InvalidRequest, match=f"VAE odd does not fit .*{reason}"):
        run(models[SD15], vae="odd")
    assert run(models[SD15]).digests == before
