"""What Darkroom costs: seconds, memory and its share of a picture's time. Each module is a script of its own."""
