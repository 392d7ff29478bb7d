"""The built-in upscaler: its data, its training, its weights."""
