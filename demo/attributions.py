"""Writes ATTRIBUTIONS.md from the annotation files beside it."""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEAD = """# Attributions

The photographs in `images/` are of COCO 2017, scaled to at most 400 pixels a
side. Each stays under the licence named here (not under the project's own), by
the person found at its Flickr address. The annotations are COCO's, scaled
alike (CC BY 4.0, COCO Consortium). Written by `python demo/attributions.py`.

| image | licence | source |
|---|---|---|
"""


def attributions() -> str:
    """Return the text of ATTRIBUTIONS.md."""
    rows = []
    for split in ('calib', 'eval'):
        text = (HERE / f'instances_{split}.json').read_text()
        data = json.loads(text)
        licences = {entry['id']: entry for entry in data['licenses']}
        for image in data['images']:
            licence = licences[image['license']]
            rows.append(
                f'| {image["file_name"]} '
                f'| [{licence["name"]}]({licence["url"]}) '
                f'| {image["flickr_url"]} |\n'
            )
    return HEAD + ''.join(sorted(rows))


if __name__ == '__main__':
    (HERE / 'ATTRIBUTIONS.md').write_text(attributions())
