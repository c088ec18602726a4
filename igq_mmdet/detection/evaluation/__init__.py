"""What AP is measured on and how.

Imports: detection.checks, detection.data, errors, registry, report,
report.compare, report.differences.
"""
