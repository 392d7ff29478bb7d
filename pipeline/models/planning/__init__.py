"""What fits this machine, and how, before anything is downloaded."""
