"""What a config names: the hook, the wrapper, progress.

Imports: checkpoints, detection.calibration, detection.data,
detection.evaluation, detection.kept, detection.models, errors, field_checks,
inspection, jobs, openmmlab, registry, report, report.dashboards, spec.
"""
