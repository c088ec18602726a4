"""Results that survive a kill."""

import pytest
import torch

from igq_mmdet.errors import DataError
from igq_mmdet.files.results_file import ResultsFile, digest


def test_results_come_back(tmp_path):
    first = ResultsFile(tmp_path, 'job', 'abc')
    first.add('a', [[4, 0.5]])
    first.add('b', [[4, 0.25]])
    again = ResultsFile(tmp_path, 'job', 'abc')
    assert again['a'] == [[4, 0.5]] and again['b'] == [[4, 0.25]]
    assert 'c' not in again
    assert 'a' not in ResultsFile(tmp_path, 'job', 'other')


def test_a_torn_line_is_dropped_and_the_file_goes_on(tmp_path):
    first = ResultsFile(tmp_path, 'job', 'abc')
    first.add('a', 1)
    first.add('b', 2)
    content = first.path.read_bytes()
    for cut in range(len(content)):
        first.path.write_bytes(content[:cut])
        again = ResultsFile(tmp_path, 'job', 'abc')
        whole = content[:cut].count(b'\n')
        assert len(again.results) == whole
        again.add('c', 3)
        assert ResultsFile(tmp_path, 'job', 'abc')['c'] == 3


def test_a_line_of_another_job_is_refused(tmp_path):
    first = ResultsFile(tmp_path, 'job', 'abc')
    first.add('a', 1)
    other = ResultsFile(tmp_path, 'job', 'other')
    other.add('a', 2)
    with open(first.path, 'ab') as file:
        file.write(other.path.read_bytes())
    with pytest.raises(DataError, match='v3.jsonl: line 2 is of another job'):
        ResultsFile(tmp_path, 'job', 'abc')


def test_without_a_folder_results_stay_in_memory():
    results = ResultsFile(None, 'job', 'abc')
    results.add('a', 1)
    assert results['a'] == 1


def test_digest_tells_weights_and_settings_apart():
    state = {'w': torch.ones(2)}
    same = digest(state, [1])
    assert same == digest({'w': torch.ones(2)}, [1])
    assert same != digest({'w': torch.zeros(2)}, [1])
    assert same != digest(state, [2])
