"""Groups of each layer under a BOP budget, and what each layer costs.

Imports: calibration, errors, files, inspection, methods, modes, modules,
quantizers, spec.
"""
