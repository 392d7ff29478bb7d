"""The parts of which the pages are made; each draws one thing."""
