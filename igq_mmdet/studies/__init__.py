"""Experiments over settings: compare, ablate, sensitivity, reproduce.

Imports: allocation, calibration, checkpoints, detection.calibration,
detection.checks, detection.data, detection.evaluation, detection.kept,
detection.models, detection.plugin, errors, field_checks, files, inspection,
jobs, methods, modules, report, report.ablations, report.dashboards,
report.differences, runtime, spec, version.
"""
