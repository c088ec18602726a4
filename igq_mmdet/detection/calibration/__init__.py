"""How a detector is calibrated and its layers are allocated.

Imports: allocation, calibration, checkpoints, detection.data,
detection.models, errors, field_checks, inspection, jobs, methods, modules,
registry, spec.
"""
