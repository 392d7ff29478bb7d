"""The same with OpenAI's client, which needs another `base_url` and no more. Needs `pip install openai`."""

from __future__ import annotations

import base64
from pathlib import Path

from openai import OpenAI


def main(address: str) -> None:
    client = OpenAI(base_url=f"{address}/v1", api_key="none")  # with DARKROOM_TOKEN set, the token
    print(f"Models: {', '.join(model.id for model in client.models.list())}")

    answer = client.images.generate(
        prompt="a red house by a lake at dusk",
        n=2,
        extra_body={"seed": 42, "steps": 20, "negative_prompt": "people"},  # our own settings
    )
    for number, item in enumerate(answer.data or [], 1):
        file = Path(f"house-{number}.png")
        file.write_bytes(base64.b64decode(item.b64_json or ""))
        print(f"{file}, also at {item.url}")

    with Path("house-1.png").open("rb") as house:
        edited = client.images.edit(image=house, prompt="a red house in winter", extra_body={"strength": 0.6})
    print(f"In winter: {(edited.data or [])[0].url}")


if __name__ == "__main__":
    main("http://localhost:8501")
