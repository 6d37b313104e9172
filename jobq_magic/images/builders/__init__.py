"""What makes of a base and a recipe another base, where that takes more than laying files upon it."""
