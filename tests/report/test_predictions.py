"""Files of predictions, as those who compare runs read them."""

import pytest

from igq_mmdet.errors import DataError
from igq_mmdet.files.journal import Journal
from igq_mmdet.report.predictions import (
    FOLDER,
    OF,
    SCHEMA,
    files_of,
    read_predictions,
    run_mark,
    slug,
)

HEADER = {'schema': SCHEMA, 'run': 'float', 'digest': 'ab'}


def write(folder, name, *entries, header=HEADER):
    path = folder / FOLDER / name
    with Journal(path) as journal:
        journal.append(header)
        for entry in entries:
            journal.append({**entry, OF: run_mark(header)})
    return path


def image(img_id):
    return {'img_id': img_id, 'scores': [0.5]}


def test_slugs():
    assert slug('float') == 'float'
    assert slug('igq:12 W4A4') == 'igq-12-w4a4'
    assert slug('igq:8+alloc W8A3') == 'igq-8+alloc-w8a3'
    assert slug('upper_bound W4A4', 7) == 'upper_bound-w4a4-seed7'


def test_every_rank_is_read(tmp_path):
    one = write(tmp_path, 'float.jsonl', image(1), {'metrics': {'AP': 0.5}})
    two = write(tmp_path, 'float.rank0.jsonl', image(2))
    three = write(tmp_path, 'float.rank11.jsonl', image('a'))
    write(tmp_path, 'float-seed3.jsonl', image(9))
    write(tmp_path, 'float.rank.jsonl', image(9))
    assert files_of(tmp_path, 'float') == [one, two, three]
    found = read_predictions(tmp_path, 'float')
    assert dict(found) == {1: image(1), 2: image(2), 'a': image('a')}
    assert found.header == HEADER and found.damaged == []
    assert found.metrics == {'metrics': {'AP': 0.5}}


def test_a_damaged_line_is_left_out_and_named(tmp_path):
    path = write(tmp_path, 'float.jsonl', image(1), image(2), image(3))
    path.write_bytes(path.read_bytes().replace(b'":2,', b'":4,'))
    found = read_predictions(tmp_path, 'float')
    assert set(found) == {1, 3} and found.damaged == [(path, 3)]
    path.write_bytes(path.read_bytes()[:-1])
    assert set(read_predictions(tmp_path, 'float')) == {1}


def test_without_a_header_nothing_is_believed(tmp_path):
    path = write(tmp_path, 'float.jsonl', image(1))
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"ab"', b'"cd"', 1))
    with pytest.raises(DataError, match='float.jsonl: line 1'):
        read_predictions(tmp_path, 'float')
    path.write_bytes(content[content.index(b'\n') + 1 :])
    with pytest.raises(DataError, match='float.jsonl: line 1'):
        read_predictions(tmp_path, 'float')
    path.write_bytes(content[:20])
    with pytest.raises(DataError, match='holds no predictions'):
        read_predictions(tmp_path, 'float')


def test_lines_of_another_run_are_refused(tmp_path):
    path = write(tmp_path, 'float.jsonl', image(1))
    header, line = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + line + header + line)
    assert dict(read_predictions(tmp_path, 'float')) == {1: image(1)}
    other = HEADER | {'digest': 'cd'}
    foreign = write(tmp_path, 'other.jsonl', image(1), header=other)
    for more in foreign.read_bytes().splitlines(keepends=True):
        path.write_bytes(header + line + more)
        with pytest.raises(DataError, match='float.jsonl: line 3 is of anoth'):
            read_predictions(tmp_path, 'float')


def test_files_of_different_runs_are_not_mixed(tmp_path):
    write(tmp_path, 'float.rank0.jsonl', image(1))
    other = HEADER | {'digest': 'cd'}
    write(tmp_path, 'float.rank1.jsonl', image(2), header=other)
    with pytest.raises(DataError, match=r'rank1.jsonl: of another run than'):
        read_predictions(tmp_path, 'float')


def test_another_schema_is_refused(tmp_path):
    write(tmp_path, 'float.jsonl', header=HEADER | {'schema': 'x/2'})
    with pytest.raises(DataError, match="schema 'x/2'"):
        read_predictions(tmp_path, 'float')


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="no predictions of 'float', seed 0"):
        read_predictions(tmp_path, 'float')


def test_matches_are_kept_or_it_is_said_why_not(tmp_path):
    write(tmp_path, 'float.jsonl', image(1))
    with pytest.raises(DataError, match="'float' is not finished"):
        _ = read_predictions(tmp_path, 'float').matches
    write(tmp_path, 'float-seed1.jsonl', {'metrics': {}})
    write(tmp_path, 'float-seed2.jsonl', {'metrics': {}, 'matches': {}})
    for seed in (1, 2):
        with pytest.raises(DataError, match='kept without matches'):
            _ = read_predictions(tmp_path, 'float', seed).matches
    for seed, matches in ((3, [1]), (4, {'AP': {}}), (5, {'AP': 3})):
        name = f'float-seed{seed}.jsonl'
        write(tmp_path, name, {'metrics': {}, 'matches': matches})
        with pytest.raises(DataError) as found:
            _ = read_predictions(tmp_path, 'float', seed).matches
        assert name in str(found.value) and 'delete' in str(found.value)
        assert '\n' not in str(found.value)
