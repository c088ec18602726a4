"""What a model is made of: parts, cost, coverage, families.

Imports: calibration, errors, methods, modes, modules, quantizers.
"""
