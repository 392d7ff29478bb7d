"""A person's own weights: what a file is, where it lies, and the record that makes it a model."""
