"""Whether dataset, metrics, classes and detector belong together.

Imports: detection.data, errors.
"""
