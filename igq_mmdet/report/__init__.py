"""The report file and the tables made from it.

Imports: checkpoints, errors, files, inspection, methods, report.differences,
version.
"""

from .by_field import where_text
from .report import SCHEMA, Report, run_name, write_report
from .table import result_table, result_text
from .uncovered import uncovered_lines

__all__ = [
    'SCHEMA',
    'Report',
    'result_table',
    'result_text',
    'run_name',
    'uncovered_lines',
    'where_text',
    'write_report',
]
