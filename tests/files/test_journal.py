"""Journals: what comes back is what was written, whatever happened."""

import math
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igq_mmdet.errors import DataError
from igq_mmdet.files.journal import Journal, decode, encode, entry_at, scan

ENTRIES = [
    {'img_id': 139, 'scores': [0.1, 1e-30], 'crc': 'not the checksum'},
    {'img_id': 'ü\n', 'masks': [{'size': [2, 3], 'counts': 'a"b\\n1'}]},
    {'text': ',"crc":12}'},
    {'last': None},
]


def write(path, entries=ENTRIES):
    with Journal(path) as journal:
        for entry in entries:
            journal.append(entry)
    return path.read_bytes()


def read(path):
    return [line.entry for line in scan(path)]


def test_entries_come_back(tmp_path):
    path = tmp_path / 'new folder/a.jsonl'
    write(path)
    assert read(path) == ENTRIES
    for line, entry in zip(scan(path), ENTRIES, strict=True):
        assert entry_at(path, line.position) == entry


def test_nesting_beyond_reason_is_damage():
    body = b'{"a":' + b'[' * 100_000 + b']' * 100_000
    line = body + b',"crc":%d}\n' % zlib.crc32(body + b'}')
    assert decode(line) is None


@settings(deadline=None)
@given(st.lists(st.floats(width=32)))
def test_float32_comes_back_to_the_bit(values):
    back = decode(encode({'values': values}))['values']
    for value, other in zip(values, back, strict=True):
        if math.isnan(value):
            assert math.isnan(other)
        else:
            assert struct.pack('f', value) == struct.pack('f', other)


def test_cut_anywhere_keeps_the_whole_lines_and_goes_on(tmp_path):
    path = tmp_path / 'a.jsonl'
    content = write(path)
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        whole = ENTRIES[: content[:cut].count(b'\n')]
        with Journal(path) as journal:
            assert journal.damaged == ()
            journal.append({'next': 1})
        assert read(path) == [*whole, {'next': 1}]


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / 'a.jsonl'
    content = write(path)
    # 5 and 8 have no common factor: every position in a byte comes up
    for bit in range(0, 8 * len(content), 5):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        number = content[: bit // 8].count(b'\n')
        left = [entry for entry in read(path) if entry is not None]
        # a flipped line feed joins two lines, and both are lost
        lost = 2 if content[bit // 8] == 0x0A else 1
        assert left == ENTRIES[:number] + ENTRIES[number + lost :]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_damage_is_believed(tmp_path_factory, data):
    """Bytes overwritten, inserted or deleted anywhere."""
    path = tmp_path_factory.mktemp('journal') / 'a.jsonl'
    content = bytearray(write(path))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(start + 40, len(content))))
        content[start:end] = data.draw(st.binary(max_size=40))
    path.write_bytes(content)
    with Journal(path) as journal:
        journal.append({'next': 1})
    left = read(path)
    assert left.pop() == {'next': 1}
    assert all(entry in ENTRIES for entry in left)


def test_a_damaged_line_is_named_and_taken_out(tmp_path):
    path = tmp_path / 'a.jsonl'
    content = write(path)
    path.write_bytes(content.replace(b'139', b'138'))
    with Journal(path) as journal:
        assert journal.damaged == (1,)
    assert read(path) == ENTRIES[1:]
    assert [p.name for p in tmp_path.iterdir()] == ['a.jsonl']
    with Journal(path) as journal:
        assert journal.damaged == ()


def test_a_line_that_changed_since_is_refused(tmp_path):
    path = tmp_path / 'a.jsonl'
    content = write(path)
    first = next(scan(path))
    path.write_bytes(content.replace(b'139', b'138'))
    with pytest.raises(DataError, match='a.jsonl: line 1 changed'):
        entry_at(path, first.position)
