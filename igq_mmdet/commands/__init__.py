"""What the command lines in tools/ share.

Imports: allocation, classification, detection, detection.data,
detection.evaluation, detection.models, errors, jobs, kernels, methods, report,
report.differences, spec, studies.
"""
