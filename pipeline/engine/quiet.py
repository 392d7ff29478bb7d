"""Keeps the libraries' progress bars and hints off the terminal; what matters arrives as events and errors."""

from __future__ import annotations

import logging


def hush() -> None:
    """Quieten bitsandbytes, transformers and diffusers. Before their first use: they speak while being imported.

    bitsandbytes regrets an optional kernel package; transformers recommends torchvision to image processors.
    """
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    from diffusers.utils import logging as diffusers_logging

    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
