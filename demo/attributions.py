"""Writes ATTRIBUTIONS.md, here and in saliency/, from annotation files."""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Folder -> annotation files of its images.
FILES = {
    '.': ('instances_calib.json', 'instances_eval.json'),
    'saliency': ('instances.json',),
}
HEAD = """# Attributions

The photographs in `images/` are of COCO 2017, scaled to at most 400 pixels a
side. Each stays under the licence named here (not under the project's own), by
the person found at its Flickr address. The annotations are COCO's, scaled
alike (CC BY 4.0, COCO Consortium). Written by `python demo/attributions.py`.

| image | licence | source |
|---|---|---|
"""


def attributions(folder: str = '.') -> str:
    """Return the text of a folder's ATTRIBUTIONS.md."""
    rows = []
    for name in FILES[folder]:
        data = json.loads((HERE / folder / name).read_text())
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
    for folder in FILES:
        (HERE / folder / 'ATTRIBUTIONS.md').write_text(attributions(folder))
