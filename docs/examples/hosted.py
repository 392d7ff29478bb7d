"""Pictures that a provider makes: what each lacks before it can be asked, and one picture where somebody wants it.

A picture is charged for, so the first is all that happens without `--ask`.
"""

from __future__ import annotations

import sys

from pipeline import DarkroomError, Studio

MODEL = "openai/gpt-image-2"


def main(studio: Studio) -> None:
    for state in studio.hosted.providers:
        print(f"{state.provider.name} ({state.host}): {state.reason or 'ready'} {state.remedy}".strip())
    for model in studio.hosted.models:
        print(f"{model.id}: {', '.join(model.options) or 'no options'}. {model.retires_soon()}".strip())


def ask(studio: Studio) -> None:
    try:
        [image] = studio.generate("a red house by a lake at dusk", model=MODEL, options={"quality": "low"})
    except DarkroomError as error:
        print(error.info.sentence)
    else:
        print(f"{image.path}, by {image.recipe.device}")


if __name__ == "__main__":
    with Studio() as studio:
        (ask if "--ask" in sys.argv else main)(studio)
