"""A ControlNet for the demo checkpoint: follows edges. Its data, its training, its evaluation and its weights."""
