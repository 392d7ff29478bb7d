"""What is known of a picture that a provider made: no steps, no weights, and mostly no seed that makes it again."""

from __future__ import annotations

from pipeline.models import schedulers
from pipeline.recipe import HostedUse, Recipe

UNKNOWN = ("quantization", "offload", "dtype", "device")
"""Fields of a recipe that say nothing when a provider made the picture."""


def facts(recipe: Recipe, used: HostedUse) -> list[str]:
    """In a few words each."""
    seed = f"seed {recipe.seed}" if used.seeded else "no seed"
    sampled = [f"{recipe.num_inference_steps} steps"] if recipe.num_inference_steps else []
    chosen = [f"{_name(name).lower()} {value}" for name, value in recipe.options.items() if value != "auto"]
    size = f"{recipe.width} × {recipe.height}"
    return [size, f"hosted by {used.provider}", *chosen, *sampled, seed, f"{recipe.seconds:.1f} s"]


def rows(recipe: Recipe, used: HostedUse) -> list[tuple[str, str]]:
    """As a table; a row without a value is none."""
    asked = recipe.work_size
    return [
        ("Negative prompt", recipe.negative_prompt),
        ("Model", recipe.model),
        ("Made by", f"{used.provider}, at {used.host}"),
        ("Its name there", used.model),
        ("Steps", str(recipe.num_inference_steps or "")),
        ("Guidance", f"{recipe.guidance_scale:g}" if recipe.guidance_scale or used.guided else ""),
        ("Scheduler", schedulers.label(recipe.scheduler) if recipe.scheduler else ""),
        ("Size", f"{recipe.width} × {recipe.height}"),
        ("Size asked for", f"{asked[0]} × {asked[1]}" if asked else ""),
        *((_name(name), value) for name, value in recipe.options.items()),
        ("Seed", f"{recipe.seed}, sent to the provider" if used.seeded else ""),
        ("Reproducible", "" if used.seeded else "No: the provider takes no seed"),
        ("Prompt as used", used.revised_prompt),
        ("Counted", ", ".join(f"{_name(name).lower()} {value:,}" for name, value in used.usage.items())),
        ("Request", used.request_id),
    ]


def told(recipe: Recipe, field: str) -> object:
    """The value of a field of any recipe; None where nobody knows it."""
    used = recipe.hosted
    if used is None:
        return getattr(recipe, field)
    if field == "guidance_scale" and used.guided:
        return recipe.guidance_scale
    unknown = field in UNKNOWN or (field == "seed" and not used.seeded)
    return None if unknown else getattr(recipe, field) or None  # 0 steps are steps that nobody counted


def _name(name: str) -> str:
    return name.replace("_", " ").capitalize()
