"""Whether a JPEG ends where it should.

OpenCV before 5 fills what is missing with grey or with what lay in memory and
tells nobody but stderr.
"""

import re

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
# ends a scan; within it 0xFF is followed by zero or a restart marker
MARKER = re.compile(rb'\xff[^\x00\xff\xd0-\xd7]')


def is_cut_off(path: str) -> bool:
    """Whether a file is a JPEG without its end.

    Markers are walked from the start (ITU-T T.81, B.1): thumbnails in a
    segment have an end of their own, and more may follow the image's.

    Args:
        path (str): Of any file.

    Returns:
        bool: False also for what is no JPEG at all.
    """
    with open(path, 'rb') as file:
        if file.read(2) != bytes((0xFF, SOI)):
            return False
        content = file.read()
    at = 0
    while at + 1 < len(content):
        if content[at] != 0xFF:
            return False  # the decoder has to judge that
        marker = content[at + 1]
        if marker == EOI:
            return False
        if marker == 0xFF:  # fill
            at += 1
        elif marker in ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(content[at + 2 : at + 4], 'big')
            if marker == SOS:
                found = MARKER.search(content, at)
                at = found.start() if found else len(content)
    return True
