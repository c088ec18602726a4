"""The report file and the tables made from it."""

from .report import SCHEMA, Report, run_name, write_report
from .table import allocation_lines, result_table, runtime_lines

__all__ = [
    'SCHEMA',
    'Report',
    'allocation_lines',
    'result_table',
    'run_name',
    'runtime_lines',
    'write_report',
]
