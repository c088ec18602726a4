"""What AP is measured on and how.

Imports: detection.data, errors, registry, report, report.compare,
report.differences.
"""
