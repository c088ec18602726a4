"""Hostile input by seed: ``python -m tests.fuzz`` tries it and counts."""
