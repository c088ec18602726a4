"""Debian's Chromium, headless, for pages opened from disk."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from .conftest import ROOT

ARTIFACTS = Path(os.environ.get('IGQ_ARTIFACTS', ROOT / 'work_dirs/artifacts'))
SIZES = {'desktop': (1280, 900), 'phone': (390, 844)}
FLAGS = (
    *('--no-sandbox', '--disable-gpu', '--disable-background-networking'),
    *('--disable-component-update', '--disable-sync', '--no-first-run'),
)


@pytest.fixture(scope='module')
def chromium():
    """The browser; what needs it is skipped where there is none.

    Playwright's event loop runs as long as it does, and a second one cannot
    be started meanwhile: not for longer than a module.
    """
    path = shutil.which('chromium')
    if path is None:
        pytest.skip('chromium is not installed (apt-get install chromium)')
    api = pytest.importorskip('playwright.sync_api')
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(FLAGS), timeout=180_000
        )
        yield browser
        browser.close()


@contextmanager
def opened(browser, path, size='desktop', **options):
    """A page, and what went wrong or out to a network while it was open.

    Args:
        browser: From the fixture ``chromium``.
        path (Path): An HTML file.
        size (str): Key of ``SIZES``.
        options: Of the browser's context.
    """
    width, height = SIZES[size]
    viewport = {'width': width, 'height': height}
    context = browser.new_context(viewport=viewport, **options)
    context.set_default_timeout(120_000)
    page = context.new_page()
    seen = SimpleNamespace(page=page, said=[], asked=[])
    page.on('console', lambda message: seen.said.append(message.text))
    page.on('pageerror', lambda error: seen.said.append(str(error)))
    page.on('request', lambda request: seen.asked.append(request.url))
    page.goto(path.resolve().as_uri())
    try:
        yield seen
    finally:
        context.close()


def keep_screenshots(browser, path, name):
    """Leaves pictures of a page at desktop and phone width for a person.

    Args:
        browser: From the fixture ``chromium``.
        path (Path): An HTML file.
        name (str): Start of the pictures' names in ``ARTIFACTS``.

    Returns:
        list[Path]: The pictures.
    """
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    kept = []
    for size in SIZES:
        for scheme in ('light', 'dark'):
            picture = ARTIFACTS / f'{name}_{size}_{scheme}.png'
            with opened(browser, path, size, color_scheme=scheme) as seen:
                seen.page.screenshot(path=picture, full_page=True)
            kept.append(picture)
    return kept
