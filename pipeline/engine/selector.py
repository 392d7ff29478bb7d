"""Finds what is pointed at in a picture, with SAM or SAM 2.

    selector = Selector(chosen(weights), "cpu")
    mask = selector.select(image_id, Selection(points=(Point(x=120, y=80),)), inputs)

To look at a picture takes seconds on a processor, to answer a point after that a moment: what was seen of the last
picture is kept. The picture is brought to the square that the model sees here and not by transformers, whose code for
SAM 2 needs torchvision; a test compares the two for SAM. https://arxiv.org/abs/2304.02643,
https://arxiv.org/abs/2408.00714
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from PIL import Image
from safetensors import SafetensorError

from pipeline.engine.placement import torch_name
from pipeline.errors import ModelUnavailable, OutOfMemory
from pipeline.inputs import InputId, Selection
from pipeline.models.hardware import Device
from pipeline.models.segmenters import Segmenter
from pipeline.pictures.fit import Size
from pipeline.pictures.store import InputStore

ROOM = 4 * 2**30
"""Bytes that must be free on a GPU for a segmentation model to compute there, beside what is loaded: twice of what a
look with SAM Base takes on a processor, its weights included."""
_MEAN = np.array((0.485, 0.456, 0.406), dtype=np.float32)
_SPREAD = np.array((0.229, 0.224, 0.225), dtype=np.float32)
"""Of the red, green and blue that the published models were trained with: ImageNet's."""


@dataclass(frozen=True, slots=True)
class _Sight:
    """What the model saw of a picture."""

    name: InputId
    size: Size
    shown: Size
    """Of the picture in the upper left of the model's square."""
    embedding: Any
    """A tensor, or for SAM 2 one for each of its scales."""


class Selector:
    """A segmentation model that is loaded, and what it saw of the last picture. For one thread."""

    def __init__(self, segmenter: Segmenter, device: str) -> None:
        """Load the model in float32 on `device`, a name of torch's. Raises `ModelUnavailable` for damaged files."""
        self.segmenter, self._device = segmenter, device
        self._model = _read(segmenter).to(device)
        self._side: int = self._model.config.prompt_encoder_config.image_size
        self._sight: _Sight | None = None

    def select(self, name: InputId, selection: Selection, inputs: InputStore) -> InputId:
        """The mask of what is pointed at in a picture of `inputs`, of its size, 255 where it is and 0 elsewhere; kept
        there too. Raises `NotFound` for a picture that is not kept any more, `OutOfMemory` and `OutputUnwritable`."""
        try:
            if self._sight is None or self._sight.name != name:
                self._sight = None  # its memory first
                self._sight = self._look(name, inputs.get(name).convert("RGB"))
            return inputs.put(self._mask(self._sight, selection))
        except torch.OutOfMemoryError:
            raise OutOfMemory(
                "The GPU's memory ran out while the picture was looked at.",
                "Close other programs that use the GPU, or paint the part by hand.",
            ) from None

    @torch.inference_mode()
    def _look(self, name: InputId, picture: Image.Image) -> _Sight:
        shown = self._shown(picture.size)
        pixels = np.asarray(picture.resize(shown, Image.Resampling.BILINEAR), dtype=np.float32) / 255
        seen = torch.from_numpy((pixels - _MEAN) / _SPREAD).permute(2, 0, 1)[None]
        seen = F.pad(seen, (0, self._side - shown[0], 0, self._side - shown[1]))
        return _Sight(name, picture.size, shown, self._model.get_image_embeddings(seen.to(self._device)))

    def _shown(self, size: Size) -> Size:
        """SAM sees a picture with its own shape, SAM 2 stretched to the square."""
        if self.segmenter.kind == "sam2":
            return self._side, self._side
        scale = self._side / max(size)
        return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))

    @torch.inference_mode()
    def _mask(self, sight: _Sight, selection: Selection) -> Image.Image:
        found = self._model(
            image_embeddings=sight.embedding,
            # A single point may mean a window or its house: several masks are drawn, and the surest is taken.
            multimask_output=len(selection.points) == 1 and selection.box is None,
            **self._pointed(sight, selection),
        )
        surest = found.pred_masks[0, 0, found.iou_scores[0, 0].argmax()][None, None].float().cpu()
        width, height = sight.shown
        square = F.interpolate(surest, (self._side, self._side), mode="bilinear")[..., :height, :width]
        mask = F.interpolate(square, sight.size[::-1], mode="bilinear")[0, 0] > 0
        return Image.fromarray(mask.numpy().astype(np.uint8) * 255)

    def _pointed(self, sight: _Sight, selection: Selection) -> dict[str, torch.Tensor]:
        """Points and box in the model's square, as it takes them: of one picture, for one thing."""
        across, down = (shown / side for shown, side in zip(sight.shown, sight.size, strict=True))
        given: dict[str, Any] = {}
        if selection.points:
            given["input_points"] = torch.tensor([[[[p.x * across, p.y * down] for p in selection.points]]])
            given["input_labels"] = torch.tensor([[[point.label for point in selection.points]]])
        if selection.box is not None:
            left, upper, right, lower = selection.box
            given["input_boxes"] = torch.tensor([[[left * across, upper * down, right * across, lower * down]]])
        return {name: value.to(self._device) for name, value in given.items()}


def device_for(best: Device) -> str:
    """Where a segmentation model computes: on the GPU while there is `ROOM` beside what it holds, else on the
    processor, which is also taken where nothing says how much is free. A name of torch's."""
    if best.kind in {"cuda", "xpu"} and torch.accelerator.get_memory_info(best.index)[0] >= ROOM:
        return torch_name(best.kind, best.index)
    return "cpu"


def _read(segmenter: Segmenter) -> Any:
    kind = transformers.SamModel if segmenter.kind == "sam" else transformers.Sam2Model
    try:
        model, found = kind.from_pretrained(
            segmenter.folder,
            output_loading_info=True,
            use_safetensors=True,
            local_files_only=True,
            dtype=torch.float32,
        )
    except (OSError, ValueError, SafetensorError, RuntimeError) as error:
        raise _broken(segmenter, str(error).splitlines()[0]) from None
    if absent := found["missing_keys"]:
        raise _broken(segmenter, f"it lacks {len(absent)} weights, such as {min(absent)}")
    return model.eval()


def _broken(segmenter: Segmenter, why: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The segmentation model {segmenter.name} cannot be read from {segmenter.folder}: {why}.",
        "Delete that folder and fetch it again, or put another one in its place.",
        field="points",
    )
