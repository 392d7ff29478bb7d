"""What a person may set about the whole studio, from `DARKROOM_…` variables or a `.env` file.

The ecosystem's own variables (`HF_HOME`, `HF_TOKEN`, `HF_ENDPOINT`, `HF_HUB_OFFLINE`, `CUDA_VISIBLE_DEVICES`) keep
their usual meaning and are read by the libraries that define them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.errors import BadSettings


class Settings(BaseSettings):
    """The studio's settings; immutable once made. Each field is `DARKROOM_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="DARKROOM_", env_file=".env", extra="ignore", frozen=True)

    model: str = Field("auto", description="Model to use when none is named; `auto` takes the best that can run here.")
    outputs: Path = Field(Path("outputs"), description="Folder for pictures, the queue and the index.")
    cache: Path = Field(Path("~/.cache/darkroom"), description="Folder for what can be made again.")
    weights: Path = Field(
        Path("models"),
        description="Folder of one's own: `checkpoints/`, `loras/`, `vae/`, `upscalers/`, `controlnet/`, `sams/`.",
    )
    workers: PositiveInt | Literal["auto"] = Field(
        "auto", description="Worker processes; `auto` is one for each GPU, else one."
    )
    device: str | None = Field(None, description="Device to compute on, such as `cpu` or `cuda:1`; unset is the best.")
    preload: bool = Field(True, description="Load the default model when the studio starts.")
    token: SecretStr | None = Field(None, description="When set, pages and API ask for it.")
    host: str = Field("127.0.0.1", description="Address that `make run` binds to.")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("localhost", "127.0.0.1", "[::1]"),
        description="Host names that browsers may use to reach the studio, separated by commas; `*` is any.",
    )
    hosted: Literal["on", "off"] = Field(
        "on", description="`off` leaves out the models of hosted providers, so that no prompt leaves this machine."
    )
    hosted_jobs: PositiveInt = Field(4, description="Jobs that each hosted provider has in hand at once.")
    max_queue: PositiveInt = Field(500, description="Jobs that may wait at once.")
    max_queue_per_client: PositiveInt = Field(100, description="Jobs that one client may have waiting.")
    max_pixels: PositiveInt = Field(4_194_304, description="Largest width × height of one picture, in pixels.")

    max_input_pixels: PositiveInt = Field(
        50_331_648, description="Most pixels of a picture to work from, and of one that is extended or enlarged."
    )

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("outputs", "cache", "weights")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def data_folder(self) -> Path:
        """Where the queue and the index live: `outputs/.darkroom`."""
        return self.outputs / ".darkroom"

    @property
    def models_file(self) -> Path:
        """The user's own model records, if there are any: `outputs/.darkroom/models.toml`."""
        return self.data_folder / "models.toml"

    @property
    def hosted_file(self) -> Path:
        """The user's own hosted models and providers, if there are any: `outputs/.darkroom/hosted.toml`."""
        return self.data_folder / "hosted.toml"

    @property
    def database(self) -> Path:
        """The SQLite file with the jobs and the picture index."""
        return self.data_folder / "studio.db"


def read_settings() -> Settings:
    """The settings of this environment; raises `BadSettings` that names the variable at fault."""
    try:
        return Settings()
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = f"DARKROOM_{problem['loc'][0]}".upper()
        raise BadSettings(f"{name} cannot be used: {problem['msg']}.", "Correct it, or remove it.") from None
