"""Draws the figures of the documentation with seglit's networks: `python -m docs.make_pictures`, takes some minutes.

All shapes are recorded by forward hooks and all numbers are computed by the layers shown.
"""

from copy import deepcopy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor, nn

from docs.canvas import BLUE, GREEN, GREY, RED, SAND, WHITE, Canvas, Point
from seglit.data import Samples
from seglit.data.synthetic import SyntheticDataset
from seglit.drawing.shapes import LABELS
from seglit.evaluation.confusion_matrix import ConfusionMatrix
from seglit.networks import FCN, Segmenter, UNet
from seglit.networks.blocks import upsample_twice
from seglit.networks.fcn import interpolation

NUM_CLASSES = LABELS.num_classes
IMAGE = (3, 256, 256)


class Shapes(NamedTuple):
    """Input and output shape of a layer, (C, H, W)."""

    input: tuple[int, ...]
    output: tuple[int, ...]


def trace_shapes(network: nn.Module) -> dict[str, Shapes]:
    """Returns the shapes of every layer by name, for an image of shape `IMAGE`; moves the network to `meta`."""
    traced: dict[str, Shapes] = {}

    def trace(name: str, layer: nn.Module) -> None:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | list[Tensor]) -> None:
            if isinstance(output, Tensor):
                traced[name] = Shapes(tuple(inputs[0].shape[1:]), tuple(output.shape[1:]))

        layer.register_forward_hook(hook)

    network.to("meta")  # shapes without values: no time, no memory
    for name, layer in network.named_modules():
        trace(name, layer)
    network(torch.empty(1, *IMAGE, device="meta"))
    return traced


def draw_map(canvas: Canvas, x: float, y: float, shape: tuple[int, ...], color: tuple[int, int, int]) -> float:
    """Draws a feature map as a box, its width by channels and its height by size; returns the height of the box."""
    channels, height, _ = shape
    box_height = 8 + 0.45 * height if height < 64 else 16 + 0.33 * height
    canvas.box(x, y, 5 + channels**0.5, box_height, color)
    canvas.text(x, y + box_height / 2 + 10, f"({', '.join(map(str, shape))})", size=11)
    return box_height


def draw_vector_and_map() -> None:
    """Draws the last layers of a classifier (top) and of an FCN (bottom)."""
    traced = trace_shapes(FCN(NUM_CLASSES, stride=32))
    features, scores, logits = traced["score"].input, traced["score"].output, traced["up"].output
    canvas = Canvas(760, 330)
    for y, title in ((75, "classification"), (245, "segmentation")):
        canvas.text(10, y - 62, title, size=14, anchor="lm")
        draw_map(canvas, 110, y, IMAGE, SAND)
        canvas.arrow((150, y), (225, y))
        canvas.text(187, y - 12, "encoder", GREY)
        draw_map(canvas, 265, y, features, BLUE)
        canvas.arrow((300, y), (380, y))
    canvas.text(340, 63, "flatten", GREY)
    canvas.box(395, 75, 6, 110, BLUE)
    canvas.text(395, 140, f"({features[0] * features[1] * features[2]})", size=11)
    canvas.arrow((410, 75), (515, 75))
    canvas.text(462, 63, "linear", GREY)
    canvas.box(535, 75, 6, 36, GREEN)
    canvas.text(535, 103, f"({NUM_CLASSES})", size=11)
    canvas.text(700, 75, "one score per class,\nno location")
    canvas.text(340, 233, "1x1 conv", GREY)
    draw_map(canvas, 420, 245, scores, GREEN)
    canvas.arrow((450, 245), (560, 245))
    canvas.text(505, 233, "upsample by 32", GREY)
    draw_map(canvas, 600, 245, logits, GREEN)
    canvas.text(700, 245, "one score per class\nat every pixel")
    canvas.save("vector-and-map")


def draw_fcn() -> None:
    """Draws FCN-8s: the encoder (top) and the scores (bottom)."""
    traced = trace_shapes(FCN(NUM_CLASSES, stride=8))
    canvas = Canvas(960, 350)
    columns = [50 + 135 * column for column in range(7)]
    top, bottom = 80, 265
    draw_map(canvas, columns[0], top, IMAGE, SAND)
    for level in range(6):
        x = columns[level + 1]
        draw_map(canvas, x, top, traced[f"encoder.levels.{level}"].output, BLUE)
        canvas.arrow((columns[level] + 32, top), (x - 32, top), color=GREY if level == 0 else RED)
    for column, name in ((6, "score"), (5, "skip_scores.0"), (4, "skip_scores.1")):
        canvas.arrow((columns[column], 118), (columns[column], bottom - 22), color=GREEN)
        canvas.text(
            columns[column] + 8, 178, f"1x1 conv\n({', '.join(map(str, traced[name].output))})", GREEN, 11, "lm"
        )
        canvas.box(columns[column], bottom, 26, 26, GREEN)
    for column, name in ((5, "ups.0"), (4, "ups.1")):
        canvas.text(columns[column], bottom, "+", WHITE, 18)
        canvas.arrow((columns[column + 1] - 18, bottom), (columns[column] + 18, bottom), color=GREEN)
        canvas.text(columns[column] + 67, bottom + 14, f"up 2: ({', '.join(map(str, traced[name].output))})", GREEN, 11)
    canvas.arrow((columns[4] - 18, bottom), (columns[1] + 32, bottom), color=GREEN)
    canvas.text((columns[1] + columns[4]) / 2, bottom + 14, "up 8", GREEN, 11)
    draw_map(canvas, columns[1], bottom, traced[""].output, GREEN)
    canvas.text(columns[2] - 20, 10, "red: max-pool by 2, then two 3x3 convolutions", RED, 12, "lm")
    canvas.text(columns[4] - 10, 10, "green: scores, one channel per class", GREEN, 12, "lm")
    canvas.save("fcn-shapes")


def draw_unet() -> None:
    """Draws U-Net as in its paper: contracting path on the left, expanding path on the right, skips between them."""
    traced = trace_shapes(UNet(NUM_CLASSES))
    levels, canvas = 5, Canvas(960, 545)
    left: list[Point] = [(130 + 82 * level, (75, 205, 310, 400, 480)[level]) for level in range(levels)]
    right = [(830 - 82 * level, y) for level, (_, y) in enumerate(left[:-1])] + [left[-1]]
    draw_map(canvas, 40, left[0][1], IMAGE, SAND)
    canvas.arrow((66, left[0][1]), (108, left[0][1]))
    heights = [draw_map(canvas, *left[i], traced[f"encoder.levels.{i}"].output, BLUE) for i in range(levels)]
    for level in range(levels - 1):
        (x, y), (next_x, next_y) = left[level : level + 2]
        below = next_y - heights[level + 1] / 2 - 3
        lower, upper = y + 0.2 * heights[level], y - 0.2 * heights[level]
        canvas.arrow((x + 22, lower), (next_x, lower), (next_x, below), color=RED)
        x = right[level][0]
        under = right[level + 1][0] if level < levels - 2 else right[-1][0] + 20
        block = f"decoder.{levels - 2 - level}"
        draw_map(canvas, x, y, traced[block].output, GREEN)
        canvas.arrow((left[level][0] + 22, upper), (x - 22, upper))
        joined = f"concatenated: ({', '.join(map(str, traced[f'{block}.conv'].input))})"
        canvas.text((left[level][0] + x) / 2, upper - 10, joined, GREY, 11)
        canvas.arrow((under, below), (under, lower), (x - 22, lower), color=GREEN)
    canvas.arrow((852, left[0][1]), (892, left[0][1]))
    draw_map(canvas, 920, left[0][1], traced["head"].output, GREEN)
    canvas.text(20, 490, "red: max-pool by 2, then two 3x3 convolutions", RED, 12, "lm")
    canvas.text(20, 510, "green: up-convolution by 2, cropped to the skip", GREEN, 12, "lm")
    canvas.text(20, 530, "grey: skip and upsampled map, concatenated; then two 3x3 convolutions", GREY, 12, "lm")
    canvas.save("unet-shapes")


@torch.no_grad()
def draw_upsampling() -> None:
    """Draws 2 x 2 pixels, upsampled to 4 x 4 in three ways."""
    small = torch.tensor([[16.0, 32.0], [48.0, 64.0]])
    transposed = nn.ConvTranspose2d(1, 1, kernel_size=2, stride=2, bias=False)
    transposed.weight.copy_(torch.tensor([[1.0, 0.5], [0.5, 0.25]]))
    layers = {
        "bilinear interpolation": interpolation(1, 2, "bilinear"),
        "transposed convolution\nkernel 2x2: 1, 1/2, 1/2, 1/4": transposed,
        "transposed convolution\nkernel 4x4, bilinear": interpolation(1, 2, "transposed"),
    }
    canvas = Canvas(860, 250)
    canvas.text(80, 22, "2 x 2", size=13)
    canvas.grid(36, 98, 44, small.tolist(), 64)
    for column, (title, layer) in enumerate(layers.items()):
        left = 190 + 230 * column
        canvas.text(left + 88, 22, title, size=13)
        canvas.grid(left, 54, 44, layer(small[None, None])[0, 0].tolist(), 64)
    canvas.arrow((134, 142), (176, 142))
    canvas.save("upsampling-2x2")


@torch.no_grad()
def draw_checkerboard() -> None:
    """Draws a flat and a smooth map, upsampled by untrained layers."""
    torch.manual_seed(4)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 10), torch.linspace(-1, 1, 10), indexing="ij")
    all_ones = nn.ConvTranspose2d(1, 1, 3, stride=2, bias=False)
    nn.init.ones_(all_ones.weight)
    layers = {
        "input": nn.Identity(),
        "transposed, 3x3\nall ones": all_ones,
        "transposed, 2x2\nrandom": upsample_twice(1, 1, "transposed"),
        "transposed, 4x4\nrandom": nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1, bias=False),
        "transposed, 4x4\nbilinear": interpolation(1, 2, "transposed"),
        "interpolation\nbilinear": interpolation(1, 2, "bilinear"),
    }
    canvas = Canvas(870, 345)
    for row, small in enumerate((torch.ones(10, 10), torch.exp(-3 * (x**2 + y**2)))):
        for column, (title, layer) in enumerate(layers.items()):
            large = layer(small[None, None])[0, 0]
            low, high = large.min(), large.max()
            grey = (large - low) / (high - low) if high > low else torch.full_like(large, 0.7)
            canvas.text(75 + 144 * column, 24, title, size=12)
            canvas.paste(Image.fromarray((grey * 255).byte().numpy()), 8 + 144 * column, 48 + 148 * row, 134)
    canvas.save("checkerboard")


class Data(NamedTuple):
    """A split in memory: images float (N, 3, 64, 64) in -0.5..0.5 and masks int64 (N, 64, 64)."""

    images: Tensor
    masks: Tensor


def load(split: str, count: int) -> Data:
    """Loads synthetic images of 64 x 64 pixels."""
    dataset = Samples(SyntheticDataset(count, "train" if split == "train" else "val", (64, 64)))
    samples = [dataset[index] for index in range(count)]
    images = torch.stack([sample["image"] for sample in samples]).float() / 255 - 0.5
    return Data(images, torch.stack([sample["mask"] for sample in samples]).long())


def train(network: nn.Module, data: Data, steps: int = 600, lr: float = 6e-3) -> nn.Module:
    """Trains a small network with cross-entropy."""
    optimizer = torch.optim.AdamW(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps)
    for _ in range(steps):
        batch = torch.randint(len(data.images), (8,))
        loss = F.cross_entropy(network(data.images[batch]), data.masks[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return network.eval()


def train_all() -> dict[str, nn.Module]:
    """Trains FCN-32s, FCN-16s, FCN-8s and a U-Net with the same settings."""
    data, channels = load("train", 512), (8, 16, 32, 48, 64, 64)
    torch.manual_seed(0)
    networks: dict[str, nn.Module] = {
        "FCN-32s": FCN(NUM_CLASSES, channels=channels, stride=32),
        "FCN-16s": FCN(NUM_CLASSES, channels=channels, stride=16),
        "FCN-8s": FCN(NUM_CLASSES, channels=channels, stride=8),
        "U-Net": UNet(NUM_CLASSES, channels=(8, 16, 32, 64)),
    }
    return {name: train(network, data) for name, network in networks.items()}


def picture(image: Tensor) -> Image.Image:
    """Converts an image (3, H, W) in -0.5..0.5 to a picture."""
    return Image.fromarray(((image + 0.5) * 255).byte().permute(1, 2, 0).numpy())


@torch.no_grad()
def draw_predictions(networks: dict[str, nn.Module], data: Data, chosen: tuple[int, ...]) -> None:
    """Draws one row per image: image, mask and the prediction of each network."""
    canvas = Canvas(6 * 140 + 22, 60 + 140 * len(chosen))
    predictions = {name: network(data.images).argmax(1) for name, network in networks.items()}
    for column, name in enumerate(("image", "mask", *predictions)):
        canvas.text(80 + 140 * column, 18, name, size=14)
        if name in predictions:
            matrix = ConfusionMatrix(NUM_CLASSES)
            matrix.update(predictions[name], data.masks)
            canvas.text(80 + 140 * column, 38, f"mIoU {matrix.compute().miou:.2f}", GREY)
    for row, index in enumerate(chosen):
        masks = [data.masks[index], *(masks[index] for masks in predictions.values())]
        drawn = [picture(data.images[index]), *(Image.fromarray(LABELS.colorize(mask.numpy())) for mask in masks)]
        for column, panel in enumerate(drawn):
            canvas.paste(panel, 15 + 140 * column, 55 + 140 * row, 132)
    canvas.save("fcn-and-unet")


@torch.no_grad()
def draw_softmax(network: nn.Module, image: Tensor) -> None:
    """Draws the probability of each class at each pixel, and their argmax."""
    probabilities = network(image[None])[0].softmax(0)  # (C, H, W)
    maps = [Image.fromarray((p * 255).byte().numpy()) for p in probabilities]
    mask = Image.fromarray(LABELS.colorize(probabilities.argmax(0).numpy()))
    canvas = Canvas(8 * 120 + 10, 150)
    for column, (name, panel) in enumerate(
        zip(("image", *LABELS.class_names, "argmax"), (picture(image), *maps, mask), strict=True)
    ):
        canvas.text(65 + 120 * column, 16, name, size=13)
        canvas.paste(panel.convert("RGB"), 10 + 120 * column, 32, 110)
    canvas.save("softmax-argmax")


@torch.no_grad()
def patch_similarity(network: Segmenter, image: Tensor, row: int, column: int) -> Image.Image:
    """Draws the cosine similarity of the token of a patch to those of all others: 0 or less black, 1 white."""
    grid = image.shape[-1] // network.encoder.patch_size
    tokens = F.normalize(network.encoder(image[None])[0, 1:], dim=-1)  # (grid^2, width), without the class token
    similarity = (tokens @ tokens[row * grid + column]).clamp(0, 1).view(grid, grid)
    return Image.fromarray((similarity * 255).byte().numpy()).convert("RGB")


def mark_patch(panel: Image.Image, patch_size: int, row: int, column: int) -> Image.Image:
    """Draws the outline of a patch."""
    large = panel.resize((4 * panel.width, 4 * panel.height), Image.Resampling.NEAREST)
    left, top, side = 4 * patch_size * column, 4 * patch_size * row, 4 * patch_size - 1
    ImageDraw.Draw(large).rectangle((left, top, left + side, top + side), outline=WHITE, width=4)
    return large


def draw_patch_similarity(data: Data, chosen: dict[int, tuple[int, int]]) -> None:
    """Draws, for chosen images and patches (row, column), which patches a Segmenter finds alike."""
    torch.manual_seed(0)
    network = Segmenter(NUM_CLASSES, width=64, depth=4, heads=4, patch_size=8)
    untrained = deepcopy(network).eval()
    train(network, load("train", 512), lr=2e-3)
    canvas = Canvas(5 * 140 + 22, 42 + 140 * len(chosen))
    for column, name in enumerate(("image and patch", "mask", "before training", "after training", "prediction")):
        canvas.text(80 + 140 * column, 20, name, size=14)
    for line, (index, patch) in enumerate(chosen.items()):
        image = data.images[index]
        with torch.no_grad():
            prediction = network(image[None])[0].argmax(0)
        panels = [
            mark_patch(picture(image), network.encoder.patch_size, *patch),
            Image.fromarray(LABELS.colorize(data.masks[index].numpy())),
            patch_similarity(untrained, image, *patch),
            patch_similarity(network, image, *patch),
            Image.fromarray(LABELS.colorize(prediction.numpy())),
        ]
        for column, panel in enumerate(panels):
            canvas.paste(panel, 15 + 140 * column, 38 + 140 * line, 132)
    canvas.save("patch-similarity")


def main() -> None:
    """Draws all figures."""
    torch.set_num_threads(1)
    draw_vector_and_map()
    draw_fcn()
    draw_unet()
    draw_upsampling()
    draw_checkerboard()
    networks, data = train_all(), load("val", 64)
    draw_predictions(networks, data, chosen=(1, 4, 7))
    draw_softmax(networks["U-Net"], data.images[4])
    draw_patch_similarity(data, chosen={7: (3, 3), 9: (3, 1)})


if __name__ == "__main__":
    main()
