"""A LoRA with which the demo draws over enlarged pictures of its own: its data, its training, its weights."""
