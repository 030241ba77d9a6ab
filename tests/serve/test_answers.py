"""What the service answers to images: the same as `predict`."""

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch
import torch.nn.functional as F
from PIL import Image
from pycocotools import mask as coco

from seglit.annotations.rasterize import polygon_pixels
from seglit.images.read import read_image
from seglit.labels import Labels
from seglit.networks import UNet
from seglit.normalization import Normalization
from seglit.predict.predictor import Predictor
from seglit.predict.settings import Settings

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from seglit.serve.app import create_app
from tests.serve.running import Service, running

LABELS = Labels.create(
    ["background", "road", "tree"],
    {"background": 0, "road": 100, "tree": [7, 8]},
    palette=[[0, 0, 0], [90, 91, 92], [0, 120, 1]],
)
FORMATS = ["mask", "indices", "color", "overlay", "image", "polygons", "rle", "probabilities"]


def make_predictor(in_channels: int = 3, normalization: Normalization | None = None) -> Predictor:
    torch.manual_seed(1)
    network = UNet(num_classes=3, in_channels=in_channels, channels=[4, 8])
    return Predictor(network, LABELS, normalization or Normalization((0.5,), (0.3,)), in_channels)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return make_predictor()


@pytest.fixture(scope="module")
def service(predictor: Predictor) -> Iterator[Service]:
    with running(create_app(predictor)) as service:
        yield service


@pytest.fixture(scope="module")
def image() -> npt.NDArray[np.uint8]:
    rows, columns = np.mgrid[:50, :70]
    return np.stack([rows * 5, columns * 3, (rows // 16 + columns // 16) % 2 * 200], -1).astype(np.uint8)


def encoded(array: npt.NDArray[Any], suffix: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, suffix, **options)
    return file.getvalue()


def decoded(body: bytes) -> npt.NDArray[Any]:
    return np.array(Image.open(io.BytesIO(body)))


def test_pictures(service: Service, predictor: Predictor, image: npt.NDArray[np.uint8]) -> None:
    body, expected = encoded(image), predictor(image)
    assert set(np.unique(expected)) == {0, 1, 2}
    assert np.array_equal(decoded(service.predict(body)), np.array([0, 100, 7])[expected])
    assert np.array_equal(decoded(service.predict(body, "indices")), expected)
    colors = np.array(LABELS.palette)[expected]
    assert np.array_equal(decoded(service.predict(body, "color")), colors)
    blended = np.where(expected[..., None] == 0, image, image // 2 + colors // 2)
    assert np.array_equal(decoded(service.predict(body, "overlay")), blended)
    assert np.array_equal(decoded(service.predict(body, "image")), image)


def test_polygons_and_runs(service: Service, predictor: Predictor, image: npt.NDArray[np.uint8]) -> None:
    expected = predictor(image)
    content = json.loads(service.predict(encoded(image), "polygons"))
    assert (content["height"], content["width"]) == (50, 70)
    drawn = np.zeros((50, 70), np.uint8)
    for polygon in content["polygons"]:
        assert polygon["class_name"] == LABELS.class_names[polygon["class_index"]]
        bitmap = polygon_pixels(np.array(polygon["points"]), (50, 70))
        height, width = bitmap.pixels.shape
        window = drawn[bitmap.top : bitmap.top + height, bitmap.left : bitmap.left + width]
        window[bitmap.pixels] = polygon["class_index"]
    assert (drawn == expected).mean() > 0.99
    content = json.loads(service.predict(encoded(image), "rle"))
    names = {category["id"]: category["name"] for category in content["categories"]}
    assert names == {1: "road", 2: "tree"}
    masks = {each["category_id"]: coco.decode(each["segmentation"]) for each in content["annotations"]}
    assert all(np.array_equal(masks[index], expected == index) for index in (1, 2))


def test_probabilities(service: Service, predictor: Predictor, image: npt.NDArray[np.uint8]) -> None:
    probabilities = np.load(io.BytesIO(service.predict(encoded(image), "probabilities")))
    assert np.array_equal(probabilities, predictor.probabilities(image).astype(np.float16))


def test_resized_images_are_answered_at_their_own_size(image: npt.NDArray[np.uint8]) -> None:
    predictor = make_predictor()
    predictor.resize, predictor.settings = (40, 32), Settings(precision="32-true")
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    with torch.no_grad():
        small = F.interpolate(pixels.float(), (40, 32), mode="bilinear", antialias=True).round()
        logits = F.interpolate(predictor.network((small / 255 - 0.5) / 0.3), (50, 70), mode="bilinear")[0]
    with running(create_app(predictor)) as service:
        mask = decoded(service.predict(encoded(image), "indices"))
        probabilities = np.load(io.BytesIO(service.predict(encoded(image), "probabilities")))
    assert (mask == logits.argmax(0).numpy()).mean() > 0.97  # OpenCV resizes the image
    assert np.abs(probabilities - logits.softmax(0).numpy()).max() < 0.05


def test_orientation_and_transparency(service: Service, tmp_path: Path, image: npt.NDArray[np.uint8]) -> None:
    exif = Image.Exif()
    exif[274] = 6
    turned = encoded(image, "JPEG", exif=exif)
    (tmp_path / "turned.jpg").write_bytes(turned)
    assert decoded(service.predict(turned, "indices")).shape == (70, 50)
    transparent = np.dstack([image, np.full((50, 70), 255, np.uint8)])
    transparent[:9, :, 3] = 0
    mask = decoded(service.predict(encoded(transparent), "indices"))
    assert (mask[:9] == 255).all()
    assert (mask[9:] < 3).all()
    assert (decoded(service.predict(encoded(transparent)))[:9] == 255).all()


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_bands_of_16_bits(tmp_path: Path, compression: str | None) -> None:
    bands = np.random.default_rng(0).integers(0, 60000, (40, 48, 5), np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif", bands, planarconfig="contig", photometric="minisblack", compression=compression
    )
    np.save(tmp_path / "a.npy", bands)
    predictor = make_predictor(5, Normalization((30000.0,), (9000.0,), 1.0))
    with running(create_app(predictor)) as service:
        expected = predictor(bands)
        for name in ("a.tif", "a.npy"):
            body = (tmp_path / name).read_bytes()
            assert np.array_equal(decoded(service.predict(body, "indices")), expected)
            assert np.array_equal(predictor(tmp_path / name), expected)
        reply = service.request("/predict", encoded(np.zeros((40, 40, 3), np.uint8)))
        assert reply.status == 422
        assert json.loads(reply.body)["detail"].startswith("image: has 3 bands of uint8, but in_channels is 5")


def test_no_file_is_written(service: Service, image: npt.NDArray[np.uint8]) -> None:
    opened: list[object] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            opened.append(arguments[0])

    sys.addaudithook(watch)  # for the rest of the process
    file = io.BytesIO()
    planes = np.moveaxis(image, -1, 0).astype(np.uint16)
    tifffile.imwrite(file, planes, imagej=True, metadata={"axes": "CYX"}, truncate=True)
    for body in (encoded(image), file.getvalue(), encoded(np.zeros((600, 600, 3), np.uint8), compress_level=0)):
        for each in FORMATS:
            service.request(f"/predict?format={each}", body)
    watching = False
    assert not opened


def test_pages_in_other_files_are_not_read(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    identifier = "urn:uuid:00000000-0000-0000-0000-00000000000"
    names = ("own.ome.tif", "secret.ome.tif", "secret.ome.tif")
    planes = "".join(
        f'<TiffData IFD="0" FirstC="{channel}" PlaneCount="1">'
        f'<UUID FileName="{name}">{identifier}{int(channel > 0)}</UUID></TiffData>'
        for channel, name in enumerate(names)
    )
    xml = (
        f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{identifier}0"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZTC" Type="uint16" SizeX="40" SizeY="40" SizeZ="1" SizeT="1" '
        f'SizeC="3">{planes}</Pixels></Image></OME>'
    )
    tifffile.imwrite("secret.ome.tif", np.full((40, 40), 9, np.uint16))
    tifffile.imwrite("own.ome.tif", np.zeros((40, 40), np.uint16), description=xml, metadata=None)
    assert read_image(Path("own.ome.tif"), 3).max() == 9
    reply = service.request("/predict", Path("own.ome.tif").read_bytes())
    assert reply.status == 422
    assert json.loads(reply.body)["detail"] == "image: some of its pages are missing, or in other files"
