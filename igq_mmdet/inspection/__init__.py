"""What a model is made of: parts, cost, coverage, families.

Imports: calibration, errors, methods, modules, quantizers.
"""
