"""CVAT's XML for images: every shape, z_order, labels and their colours, and XML that is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seglit.annotations import Cvat
from tests.annotations.folders import ALL, HEIGHT, WIDTH, data_of, masks_of, painted, refusal, save_image

LABELS = (
    "<label><name>crack</name><color>#fa3253</color><type>any</type><attributes><attribute><name>size</name>"
    "</attribute></attributes></label><label><name>rust</name><color>#2080c0</color></label>"
    "<label><name>elbow</name><parent>person</parent></label>"
)
META = f"<version>1.1</version><meta><task><id>1</id><labels>{LABELS}</labels></task></meta>"
CRACK, RUST = 1, 2


def write(root: Path, *images: str, meta: str = META, subsets: tuple[str, ...] = ()) -> Path:
    text = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>' + meta
    for index, shapes in enumerate(images):
        save_image(root / "images" / f"{index:03d}.jpg")
        subset = f'subset="{subsets[index]}"' if subsets else ""
        text += (
            f'<image id="{index}" name="{index:03d}.jpg" {subset} width="{WIDTH}" height="{HEIGHT}">{shapes}</image>'
        )
    (root / "annotations.xml").write_text(text + "</annotations>\n")
    return root


def shape(kind: str, label: str = "crack", inside: str = "", **attributes: Any) -> str:
    texts = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<{kind} label="{label}" source="manual" occluded="0"{texts}>{inside}</{kind}>'


def square(low: int, high: int, label: str = "crack", z: int = 0) -> str:
    return shape("polygon", label, points=f"{low},{low};{high}.00,{low};{high},{high};{low},{high}", z_order=z)


def test_polygons_and_labels(tmp_path: Path) -> None:
    root = write(tmp_path, square(5, 30), "")
    data = data_of(root, Cvat(), **ALL)
    assert data.labels.class_names == ("background", "crack", "rust")
    assert data.labels.palette == ((0, 0, 0), (250, 50, 83), (32, 128, 192))
    masks = masks_of(root, Cvat(), **ALL)
    assert np.array_equal(masks["000"], painted((CRACK, (5, 5, 30, 30))))
    assert not masks["001"].any()
    write(tmp_path, square(5, 30), meta="")
    assert data_of(root, Cvat(), **ALL).labels.class_names == ("background", "crack")


def test_regions_are_drawn_by_z_order(tmp_path: Path) -> None:
    large, small = square(5, 30), square(10, 20, "rust")
    over = square(5, 30, z=1)
    masks = masks_of(write(tmp_path, large + small, small + large, over + small), Cvat(), **ALL)
    assert [int((masks[f"{index:03d}"] == RUST).sum()) for index in range(3)] == [100, 0, 0]


def test_every_shape(tmp_path: Path) -> None:
    runs = "3, 2, 5"  # by rows, of 5 x 2 pixels: 3 outside, 2 inside, 5 outside
    shapes = [
        shape("box", xtl=10, ytl=20, xbr=40.0, ybr=35),
        shape("box", xtl=20, ytl=20, xbr=40, ybr=30, rotation=90),
        shape("ellipse", cx=40, cy=30, rx=20, ry=8, rotation=30),
        shape("mask", rle=runs, left=7, top=9, width=5, height=2),
        shape("polyline", points="5,10;70,10"),
        shape("points", points="20,50;60,50"),
        shape("tag") + square(1, 3, "rust"),
    ]
    root = write(tmp_path, *shapes)
    masks = masks_of(root, Cvat(), line_width=4, **ALL)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    turn = np.deg2rad(30)
    along = (x - 40) * np.cos(turn) + (y - 30) * np.sin(turn)
    across = (y - 30) * np.cos(turn) - (x - 40) * np.sin(turn)
    expected = [
        painted((CRACK, (10, 20, 40, 35))),
        painted((CRACK, (25, 15, 35, 35))),
        (along / 20) ** 2 + (across / 8) ** 2 <= 1,
        painted((CRACK, (10, 9, 12, 10))),
        np.hypot(np.maximum(0, np.maximum(5 - x, x - 70)), y - 10) <= 2,
        np.minimum(np.hypot(x - 20, y - 50), np.hypot(x - 60, y - 50)) <= 2,
        painted((RUST, (1, 1, 3, 3))),
    ]
    for index, mask in enumerate(expected):
        np.testing.assert_array_equal(masks[f"{index:03d}"], mask)


def test_skeletons_and_cuboids_can_be_skipped(tmp_path: Path) -> None:
    skeleton = shape("skeleton", inside=shape("points", "elbow", points="1,1"))
    root = write(tmp_path, skeleton + square(5, 9), shape("cuboid", xtl1=1))
    assert "image 000: contains a skeleton, which cannot be drawn; set `skip_shapes: [skeleton]`" in refusal(
        root, Cvat(), **ALL
    )
    masks = masks_of(root, Cvat(), skip_shapes=["skeleton", "cuboid"], **ALL)
    assert [int(mask.sum()) for mask in masks.values()] == [16, 0]


def test_subsets_that_are_splits(tmp_path: Path) -> None:
    data = data_of(write(tmp_path, "", "", "", subsets=("Train", "Validation", "Train")), Cvat())
    assert [len(data.dataset(split)) for split in ("train", "val")] == [2, 1]
    root = write(tmp_path, "", "", subsets=("Train", "batch 7"))
    assert "splits is not set" in refusal(root, Cvat())
    assert len(masks_of(root, Cvat(), **ALL)) == 2


def test_a_doctype_is_refused(tmp_path: Path) -> None:
    write(tmp_path, square(5, 30))
    bomb = '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx">' + "".join(
        f'<!ENTITY x{n} "&x{n - 1 or ""};&x{n - 1 or ""};">' for n in range(1, 40)
    )
    outside = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">'
    for head in (bomb, outside):
        (tmp_path / "annotations.xml").write_text(f"{head}]><annotations><version>&x;</version></annotations>")
        assert refusal(tmp_path, Cvat(), **ALL) == (
            f"{tmp_path / 'annotations.xml'}: contains a DOCTYPE, which CVAT does not write; it is not read"
        )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not valid XML (no element found"),
        ("<annotations><image", "is not valid XML (unclosed token"),
        ("<annotations>\x00</annotations>", "is not valid XML"),
        ("<annotation><folder/></annotation>", "its root is <annotation>, not <annotations>"),
        (
            "<annotations><track id='0'/></annotations>",
            'contains tracks of a video; export it as "CVAT for images 1.1"',
        ),
        ("<annotations><image name='000.jpg'/></annotations>", "an entry has no 'height'"),
        ("<annotations><image name='b.jpg' width='80' height='64'/></annotations>", "image b.jpg: no such file in"),
        ("<annotations><image name='000.jpg' width='8' height='9'/></annotations>", "was drawn on 9 x 8 pixels"),
        ("<x>" * 100_000, "its root is <x>"),
        ("<annotations>" + "<x>" * 100_000, "is not valid XML"),
    ],
)
def test_wrong_xml_is_named(tmp_path: Path, text: str, words: str) -> None:
    write(tmp_path, "")
    (tmp_path / "annotations.xml").write_text(text)
    message = refusal(tmp_path, Cvat(), **ALL)
    assert message.startswith(str(tmp_path / "annotations.xml"))
    assert words in message


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (shape("polygon", points="1,2;nan,3;4,5"), "a shape reaches nan"),
        (shape("polygon", points="1,2;3"), "is not in CVAT's XML"),
        (shape("polygon"), "an entry has no 'points'"),
        (shape("polygon", points="1,2;3,4"), "a polygon has 2 points"),
        (shape("ellipse", cx=9, cy=9, rx=4, ry=3, rotation="nan"), "a shape is rotated by nan degrees"),
        (shape("box", xtl=1, ytl=1, xbr=2, ybr=2, rotation="inf"), "a shape is rotated by inf degrees"),
        (shape("mask", rle="4", left=0, top=0, width=2, height=3), "its counts sum to 4 pixels"),
        (shape("mask", rle="9999999999", left=0, top=0, width=99999, height=99999), "larger than the image"),
        (shape("mask", rle="99999999999999999999", left=0, top=0, width=2, height=3), "is not in CVAT's XML"),
        (shape("mask", rle="-1,7", left=0, top=0, width=2, height=3), "its counts contain -1"),
        (shape("box", "crak", xtl=1, ytl=1, xbr=2, ybr=2), "the label 'crak' is neither a class nor in ignore_labels"),
    ],
)
def test_wrong_shapes_are_named(tmp_path: Path, wrong: str, words: str) -> None:
    message = refusal(write(tmp_path, wrong), Cvat(), **ALL)
    assert message.startswith(f"{tmp_path / 'annotations.xml'}: image 000: ")
    assert words in message
