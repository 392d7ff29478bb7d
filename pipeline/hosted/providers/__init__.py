"""One module for each way to speak with providers: its `make` is an `Adapter`."""
