"""Images with float and quantized detections side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from .agreement import IOU, SCORE, Agreement
from .svg import el

ABOUT = (
    f'Disagreement is 1 - F1 between the detections of both above score '
    f'{SCORE}, matched by label at box IoU {IOU}: 0 where they are the same, '
    f'1 where none is. Click an image to enlarge it.'
)


@dataclass(frozen=True)
class Drawn:
    """One image, drawn twice.

    Args:
        name (str): Of the file.
        agreement (Agreement): Of the two.
        full (str): Data URI of the float detections.
        quantized (str): Data URI of the quantized ones.
    """

    name: str
    agreement: Agreement
    full: str
    quantized: str


@dataclass(frozen=True)
class Shelf:
    """The worst images of one setting.

    Args:
        images (int): How many were ranked.
        mean (float): Their mean disagreement.
        drawn (Sequence[Drawn]): Worst first.
    """

    images: int
    mean: float
    drawn: Sequence[Drawn]


@dataclass(frozen=True)
class Gallery:
    """What is shown of one cohort.

    Args:
        shelves (Mapping[str, Shelf]): By setting.
        notes (Sequence[str]): Why something is not shown.
    """

    shelves: Mapping[str, Shelf] = field(default_factory=dict)
    notes: Sequence[str] = ()


def gallery_html(gallery: Gallery | None, name: str) -> str:
    """The part of the page with images.

    Args:
        gallery (Gallery, optional): None leaves it out.
        name (str): Unique start of ids.
    """
    if gallery is None:
        return ''
    parts = [el('h3', 'Images, worst first')]
    parts += [el('p', escape(note), class_='soft') for note in gallery.notes]
    if gallery.shelves:
        parts.append(el('p', escape(ABOUT), class_='soft'))
        options = ''.join(
            el(
                'option',
                escape(f'{setting} (mean disagreement {shelf.mean:.2f})'),
                value=index,
            )
            for index, (setting, shelf) in enumerate(gallery.shelves.items())
        )
        select = el('select', options, class_='panels', autocomplete='off')
        parts.append(el('label', 'Quantized: ', select))
    known: dict[str, str] = {}
    for index, (setting, shelf) in enumerate(gallery.shelves.items()):
        cards = [
            _card(drawn, setting, rank, name, known)
            for rank, drawn in enumerate(shelf.drawn, 1)
        ]
        parts.append(
            el(
                'div',
                *cards,
                class_='cards',
                data_panel=index,
                hidden=index > 0,
            )
        )
    return el('div', *parts, class_='card images')


def _card(
    drawn: Drawn, setting: str, rank: int, name: str, known: dict[str, str]
) -> str:
    found = drawn.agreement
    said = (
        f'disagreement {found.disagreement:.2f}: float {found.full}, '
        f'quantized {found.quantized}, in common {found.matched}'
    )
    return el(
        'article',
        el('strong', escape(f'{rank}. {drawn.name}')),
        el('p', escape(said), class_='soft'),
        el(
            'div',
            _image(drawn.full, 'float', drawn.name, name, known),
            _image(drawn.quantized, setting, drawn.name, name, known),
            class_='pair',
        ),
    )


def _image(
    uri: str, who: str, image: str, name: str, known: dict[str, str]
) -> str:
    alt = f'{image} with the detections of {who}'
    if uri in known:  # the script copies it
        img = el('img', alt=alt, data_same=known[uri])
    else:
        known[uri] = f'{name}-image-{len(known)}'
        img = el('img', alt=alt, src=uri, id=known[uri])
    title = f'{image}: {who}'
    return el(
        'button',
        img,
        el('span', escape(who)),
        type='button',
        data_title=title,
    )
