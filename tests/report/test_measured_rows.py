"""The results file of tools/reproduce.py."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest

from igq_mmdet.report.measured_rows import append_row, file_digest


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_are_appended(tmp_path):
    path = tmp_path / 'rows.jsonl'
    append_row(path, {'row': 'a', 'ap': 0.25})
    append_row(path, {'row': 'b'})
    assert rows_of(path) == [{'row': 'a', 'ap': 0.25}, {'row': 'b'}]
    assert [p.name for p in tmp_path.iterdir()] == ['rows.jsonl']


def test_an_interrupted_append_leaves_the_file(tmp_path):
    path = tmp_path / 'rows.jsonl'
    append_row(path, {'row': 'a'})
    with (
        mock.patch('os.replace', side_effect=OSError('disk full')),
        pytest.raises(OSError, match='disk full'),
    ):
        append_row(path, {'row': 'b'})
    assert rows_of(path) == [{'row': 'a'}]
    assert [p.name for p in tmp_path.iterdir()] == ['rows.jsonl']


def test_no_row_is_lost_when_several_append(tmp_path):
    path = tmp_path / 'rows.jsonl'
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda i: append_row(path, {'row': i}), range(64)):
            pass
    assert sorted(row['row'] for row in rows_of(path)) == list(range(64))


def test_file_digest(tmp_path):
    path = tmp_path / 'file'
    content = bytes(range(256)) * 5000
    path.write_bytes(content)
    assert file_digest(path) == hashlib.sha256(content).hexdigest()
