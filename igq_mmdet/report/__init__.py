"""The report file and the tables made from it."""

from .report import SCHEMA, Report, run_name, write_report
from .table import allocation_lines, result_table, runtime_lines, seed_table
from .uncovered import uncovered_lines

__all__ = [
    'SCHEMA',
    'Report',
    'allocation_lines',
    'result_table',
    'run_name',
    'seed_table',
    'runtime_lines',
    'uncovered_lines',
    'write_report',
]
