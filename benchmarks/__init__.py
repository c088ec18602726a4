"""How fast float, simulated and integer models are, side by side."""
