"""Numbers of a report to dashboards and back.

Imports: errors, field_checks, inspection, report.
"""
