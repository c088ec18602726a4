"""Statistics of float activations, collected while a model runs.

Imports: errors.
"""
