"""Several processes, interruption and progress.

Imports: errors.
"""
