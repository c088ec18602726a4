"""What the command lines in tools/ share.

Imports: classification, detection, detection.data, detection.evaluation,
detection.models, errors, jobs, kernels, report, report.differences, spec,
studies.
"""
