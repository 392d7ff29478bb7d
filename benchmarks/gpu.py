"""What Stable Diffusion 3.5 Medium and FLUX.1-dev cost on this machine, at full size and with random weights.

    .venv/bin/python -m benchmarks.gpu                    both models on the GPU; nothing is downloaded
    .venv/bin/python -m benchmarks.gpu --model flux       one of them
    .venv/bin/python -m benchmarks.gpu --small            one layer of each stack, two steps, 256 × 256: a rehearsal

Speed and memory do not depend on what the weights say, so a checkpoint of the published shape is written with random
ones (16 and 34 GB, in a temporary folder of `--folder`'s disk) and loaded like any other. Each row is a fresh process:
Darkroom's engine with that precision and offload, or plain diffusers with the same recipe. Darkroom's load is a first
one, with the fit of the preview and an empty cache of quantised components.
"""

from __future__ import annotations

import argparse
import inspect
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import diffusers
import torch
import transformers

from benchmarks.measure import PROMPT, table
from pipeline.engine import Engine
from pipeline.engine.check import build, class_of
from pipeline.models.architectures import ARCHITECTURES, Architecture
from pipeline.models.registry import ROOT, ModelRecord, Registry
from pipeline.request import GenerationRequest
from tests.checkpoints import clip_tokenizer, t5_tokenizer

MODELS = ("stabilityai/stable-diffusion-3.5-medium", "black-forest-labs/FLUX.1-dev")
WAYS = (("none", "none"), ("none", "model"), ("nf4", "none"), ("nf4", "model"), ("nf4", "group"))
"""Precision and offload."""
PICTURES = 3
STACKS = ("num_layers", "num_single_layers", "num_hidden_layers")
TOKENIZERS: dict[str, Callable[[], Any]] = {"CLIPTokenizer": clip_tokenizer, "T5Tokenizer": t5_tokenizer}
SCHEDULERS = {"sd3": {"shift": 3.0}, "flux": {"shift": 3.0, "use_dynamic_shifting": True}}


def main() -> None:
    """Make each checkpoint, measure every way, and print a table."""
    options = _options()
    if options.measure:
        print(json.dumps(measure(**json.loads(options.measure))))
        return
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if device is None and not options.small:
        sys.exit("No GPU was found. `--small` rehearses on the processor.")
    for name in [options.model] if options.model else MODELS:
        record = Registry.read().find(name)
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            write_checkpoint(record, Path(folder), small=options.small)
            ways = WAYS if device else [way for way in WAYS if way[1] == "none"]
            rows = [row for way in ways for row in _rows(record, Path(folder), *way, small=options.small)]
        table(f"{record.name}{', one layer of each stack' if options.small else ''}", rows)


def write_checkpoint(record: ModelRecord, folder: Path, *, small: bool) -> None:
    """A checkpoint of the record's shape in `folder`, with random weights; `small` keeps one layer of each stack."""
    index: dict[str, Any] = {"_class_name": record.pipelines["text"], "_diffusers_version": diffusers.__version__}
    for name, key in record.components.items():
        architecture = ARCHITECTURES[key]
        model = component(architecture, small=small)
        model.save_pretrained(folder / name)
        index[name] = [architecture.library, architecture.kind]
        if name.startswith("text_encoder"):
            tokenizer = name.replace("text_encoder", "tokenizer")
            kind = "T5Tokenizer" if architecture.kind.startswith("T5") else "CLIPTokenizer"
            TOKENIZERS[kind]().save_pretrained(folder / tokenizer)
            index[tokenizer] = ["transformers", kind]
        del model
    diffusers.FlowMatchEulerDiscreteScheduler(**SCHEDULERS[record.family]).save_pretrained(folder / "scheduler")
    index["scheduler"] = ["diffusers", "FlowMatchEulerDiscreteScheduler"]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))


def component(architecture: Architecture, *, small: bool) -> Any:
    """The component in bfloat16 with random weights, made on the GPU where there is room for it."""
    changes: dict[str, Any] = {}
    if small:
        kind = class_of(architecture)
        known = (
            vars(kind.config_class()) if architecture.library == "transformers" else inspect.signature(kind).parameters
        )
        changes = {stack: 1 for stack in STACKS if stack in known}
        changes |= {"dual_attention_layers": [0]} if "dual_attention_layers" in architecture.config else {}
    room = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else 0
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda" if 3 * architecture.parameters < room else "cpu"):
            model = build(architecture, **changes)
    finally:
        torch.set_default_dtype(torch.float32)
    return model.to(torch.bfloat16)


def measure(name: str, folder: str, precision: str, offload: str, small: bool, plain: bool) -> dict[str, float]:
    """Load, make one picture to warm up and `PICTURES` more. Seconds, and bytes at the peak."""
    record = Registry.read().find(name).model_copy(update={"source": folder})
    steps, side = (2, 256) if small else (record.steps.default, record.size.native[0])
    begun = time.perf_counter()
    picture = (_plain if plain else _studio)(record, precision, offload, steps, side)
    loaded = time.perf_counter() - begun
    times = []
    for seed in range(PICTURES + 1):
        begun = time.perf_counter()
        picture(seed)
        times.append(time.perf_counter() - begun)
    on_gpu = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0
    in_ram = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"load": loaded, "picture": median(times[1:]), "gpu": on_gpu, "ram": in_ram}


def _studio(record: ModelRecord, precision: str, offload: str, steps: int, side: int) -> Callable[[int], object]:
    engine = Engine(Path(tempfile.mkdtemp(dir=record.source)))

    def picture(seed: int) -> object:
        request = _request(precision, offload, steps, side, seed)
        return list(engine.generate(request, record, [0], lambda event: None, lambda: False))

    engine.load(record, _request(precision, offload, steps, side, 0), lambda event: None)
    return picture


def _request(precision: str, offload: str, steps: int, side: int, seed: int) -> GenerationRequest:
    return GenerationRequest.model_validate(
        {
            "prompt": PROMPT,
            "quantization": precision,
            "offload": offload,
            "num_inference_steps": steps,
            "width": side,
            "height": side,
            "seed": seed,
        }
    )


def _plain(record: ModelRecord, precision: str, offload: str, steps: int, side: int) -> Callable[[int], object]:
    """The recipe of the documentation: one `from_pretrained`, quantisation for the whole pipeline, one offload call."""
    pipe = getattr(diffusers, record.pipelines["text"]).from_pretrained(
        record.source, dtype=torch.bfloat16, quantization_config=_quantization(record) if precision == "nf4" else None
    )
    pipe.set_progress_bar_config(disable=True)
    if offload == "model":
        pipe.enable_model_cpu_offload()
    elif offload == "group":
        pipe.enable_group_offload(onload_device=torch.device("cuda"), offload_type="leaf_level", use_stream=True)
    elif torch.cuda.is_available():
        pipe.to("cuda")

    def picture(seed: int) -> object:
        return pipe(
            PROMPT,
            num_inference_steps=steps,
            width=side,
            height=side,
            guidance_scale=record.guidance.default,
            generator=torch.Generator("cpu").manual_seed(seed),
            **record.arguments,
        ).images[0]

    return picture


def _quantization(record: ModelRecord) -> Any:
    four_bits = {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": torch.bfloat16,
    }
    libraries = {"diffusers": diffusers, "transformers": transformers}
    chosen = {name: libraries[ARCHITECTURES[record.components[name]].library] for name in record.nf4}
    return diffusers.PipelineQuantizationConfig(
        quant_mapping={name: library.BitsAndBytesConfig(**four_bits) for name, library in chosen.items()}
    )


def _rows(
    record: ModelRecord, folder: Path, precision: str, offload: str, *, small: bool
) -> list[tuple[str, str, str]]:
    """One row for Darkroom and one for plain diffusers, each measured in its own process."""
    rows = []
    for plain in (False, True):
        who = "plain diffusers" if plain else "Darkroom"
        asked = {"name": record.id, "folder": str(folder), "precision": precision, "offload": offload}
        command = [
            sys.executable,
            "-m",
            "benchmarks.gpu",
            "--measure",
            json.dumps(asked | {"small": small, "plain": plain}),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        rows.append((f"{who}, {precision}, offload {offload}", _told(done), ""))
    return rows


def _told(done: subprocess.CompletedProcess[str]) -> str:
    """The result in words; the last line of the complaint when there is none."""
    if done.returncode != 0:
        return f"failed: {(done.stderr.strip().splitlines() or ['?'])[-1][:90]}"
    result = json.loads(done.stdout.strip().splitlines()[-1])
    memory = f"{result['gpu'] / 1e9:.1f} GB GPU, " if result["gpu"] else ""
    return f"load {result['load']:.1f} s, picture {result['picture']:.2f} s, {memory}{result['ram'] / 1e9:.1f} GB RAM"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a registry id, or a short form of it (default: both)")
    parser.add_argument("--small", action="store_true", help="one layer of each stack and two steps")
    parser.add_argument("--folder", type=Path, help="where the temporary checkpoints go (default: the system's)")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
