"""How each command is called: what stands below its help."""

from __future__ import annotations

import typer

PROGRAM = "python -m pipeline"
EXAMPLES: dict[str, tuple[str, ...]] = {
    "generate": (
        'generate "a red house by a lake at dusk" --steps 28 --guidance 4.5 --seed 42',
        'generate "the same house in winter" --image house.png --strength 0.6',
        "generate --prompts prompts.txt --count 2 --json",
        'generate "a red house" --model openai/gpt-image-2 --option quality=high --option background=transparent',
        'generate "a fox" --model sdxl-turbo --then sdxl-base,strength=0.4',
    ),
    "replay": ("replay picture.png",),
    "verify": ("verify picture.png", "verify --rerun picture.png --json"),
    "compare": (
        'compare "a lighthouse at dusk" --columns steps=4,8,16 --rows guidance=1,4.5,7',
        'compare "a red house" --columns model=sdxl-turbo,openai/gpt-image-2',
        'compare "a red house" --columns prompt=red,blue,green --seed 7 --output houses.png',
    ),
    "chains list": ("chains list",),
    "chains show": ('chains show "quick then fine"',),
    "chains keep": ('chains keep "quick then fine" picture.png',),
    "chains remove": ('chains remove "quick then fine"',),
    "jobs list": ("jobs list", "jobs list --all --limit 5 --json"),
    "jobs follow": ("jobs follow 0f3c5a7e9b1d2f46",),
    "jobs cancel": ("jobs cancel 0f3c5a7e9b1d2f46", "jobs cancel --all"),
    "gallery list": (
        "gallery list lighthouse --since 2026-01-01",
        "gallery list --model demo --rating 4 --json",
    ),
    "gallery show": ("gallery show picture.png",),
    "gallery rebuild": ("gallery rebuild",),
    "gallery delete": ("gallery delete picture.png",),
    "gallery restore": ("gallery restore 0f3c5a7e9b1d2f46",),
    "gallery export": ("gallery export first.png second.png --output pictures.zip",),
    "models list": ("models list",),
    "models providers": ("models providers", "models providers --acknowledge openai"),
    "models show": ("models show sdxl-turbo", "models show openai/gpt-image-2"),
    "models plan": ("models plan sdxl-turbo --width 1024 --height 1024 --quantization nf4",),
    "models add-server": (
        "models add-server http://192.168.1.5:8501 --name studio",
        "models add-server https://images.example.org --key-variable IMAGES_KEY",
    ),
    "models remove-server": ("models remove-server studio",),
    "models upscalers": ("models upscalers",),
    "models fetch": ("models fetch sdxl-turbo",),
    "models add": ("models add owner/name", "models add photon_v1.safetensors"),
    "models remove": ("models remove sdxl-turbo --files",),
    "models verify": ("models verify sdxl-turbo",),
    "models check": ("models check demo", "models check --all"),
    "models cache list": ("models cache list",),
    "models cache clear": ("models cache clear sdxl-turbo",),
    "doctor": ("doctor", "doctor --quick --json"),
    "serve": ("serve", "serve --host 0.0.0.0 --port 8600 --log studio.log"),
    "completion": ("completion >> ~/.bashrc",),
}


def show_below(app: typer.Typer, above: tuple[str, ...] = ()) -> None:
    """Put the examples below the help of every command of `app`, which is called as `above` says."""
    for command in app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        calls = EXAMPLES.get(" ".join((*above, name)), ())
        heading = "Examples:" if len(calls) > 1 else "Example:"
        command.epilog = "\n\n".join([heading, *(f"  {PROGRAM} {call}" for call in calls)]) if calls else None
    for group in app.registered_groups:
        if group.typer_instance is not None:
            show_below(group.typer_instance, (*above, str(group.name)))
