"""docs/checkpoints.md names what exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / 'docs/checkpoints.md').read_text()
FILES = dict(re.findall(r'\[([^\]]+\.pth)\]\[(\w+)\]', TEXT))
ADDRESSES = dict(re.findall(r'^\[(\w+)\]: (\S+)$', TEXT, re.MULTILINE))


def test_every_file_has_its_address():
    assert len(FILES) == 4 + 11
    assert sorted(FILES.values()) == sorted(ADDRESSES)
    for name, label in FILES.items():
        assert ADDRESSES[label].rsplit('/', 1)[1] == name


def test_rows_and_configs_exist():
    rows = set(re.findall(r'`([\w-]+_coco_)\*`', TEXT))
    assert len(rows) == 5
    for row in rows:
        presets = {p.stem for p in ROOT.glob(f'configs/*/{row}*.py')}
        assert presets == {
            f'{row}w{bits}a{bits}_g{groups}'
            for bits in (4, 6)
            for groups in (8, 12)
        }
    named = re.findall(r'((?:configs|tools|tests)/[\w/.-]+\.py)', TEXT)
    assert len(named) >= 5
    for path in named:
        assert (ROOT / path).is_file(), path


def test_mmdet_files_are_those_of_its_metafile():
    mmdet = pytest.importorskip('mmdet')
    yaml = pytest.importorskip('yaml')
    metafile = Path(mmdet.__file__).parent / '.mim/configs/swin/metafile.yml'
    for model in yaml.safe_load(metafile.read_text())['Models']:
        if not model['Name'].startswith('mask-rcnn'):
            continue
        (label,) = (k for k, v in ADDRESSES.items() if v == model['Weights'])
        (line,) = (x for x in TEXT.splitlines() if x.endswith(f'[{label}] |'))
        box, mask = (
            result['Metrics'][f'{kind} AP']
            for result, kind in zip(
                model['Results'], ('box', 'mask'), strict=True
            )
        )
        assert f'| {box} / {mask} |' in line
