"""The report file and the tables made from it."""

from .report import SCHEMA, Report, run_name, write_report
from .table import result_table

__all__ = ['SCHEMA', 'Report', 'result_table', 'run_name', 'write_report']
