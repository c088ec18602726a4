"""Every error text of the page is one that the package can emit."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'troubleshooting.md'
GAP = '…'


def emitted(source: str) -> Iterator[str]:
    """Texts in a source, with a gap for what is filled in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield ''.join(
                part.value if isinstance(part, ast.Constant) else GAP
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def documented() -> list[str]:
    return re.findall(r'^#### `(.+)`$', PAGE.read_text(), re.MULTILINE)


@pytest.fixture(scope='module')
def texts():
    return {
        text
        for path in sorted((ROOT / 'igq_mmdet').rglob('*.py'))
        for text in emitted(path.read_text())
    }


def test_the_page_has_entries():
    assert len(documented()) > 20


@pytest.mark.parametrize('text', documented())
def test_can_be_emitted(text, texts):
    assert any(text.strip(GAP) in found for found in texts), text


def test_a_text_that_nobody_emits_is_found_out(texts):
    assert not any('the moon is out' in text for text in texts)
