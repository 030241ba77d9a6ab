"""Checks of a device against the CPU: losses, scores, networks, the predictor, and a step of training."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any, Literal, get_args

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW
from torch.utils.data import DataLoader

from benchmarks.machine import autocast
from benchmarks.training import cross_entropy_and_dice, normalize
from seglit import losses
from seglit.drawing.shapes import LABELS
from seglit.hardware import find_device
from seglit.labels import IGNORE_INDEX
from seglit.module import DEFAULT_NORMALIZATION, SegmentationModule
from seglit.networks import Segmenter, UNet
from seglit.networks.blocks import UpsampleMode
from seglit.predict.predictor import Predictor

CLASSES = LABELS.num_classes

Check = tuple[str, float, float]  # what is compared, its difference, the largest difference that is accepted


def check_losses_and_scores() -> Iterator[Check]:
    """Compares value and gradient of every loss, and all scores of a test, with the CPU's in float32."""
    logits, weights = 3 * torch.randn(4, CLASSES, 128, 160), [0.5 + index for index in range(CLASSES)]
    mask = torch.where(torch.rand(4, 128, 160) < 0.1, IGNORE_INDEX, torch.randint(CLASSES, (4, 128, 160)))
    criteria = {
        "cross-entropy": losses.CrossEntropy(weights, label_smoothing=0.1),
        "cross-entropy of the hardest quarter": losses.CrossEntropy(hardest=0.25),
        "focal": losses.Focal(class_weights=weights),
        "Dice": losses.Dice(),
        "Jaccard": losses.Jaccard(),
        "Tversky": losses.Tversky(0.3, 0.7),
        "Lovasz": losses.Lovasz(),
        "cross-entropy and Dice": losses.WeightedSum([losses.CrossEntropy(weights), losses.Dice()], [1.0, 0.5]),
    }
    inputs = logits.to(find_device()), mask.to(find_device())
    for name, criterion in criteria.items():
        expected_loss, expected_gradient = _loss_and_gradient(criterion, logits, mask)
        loss, gradient = _loss_and_gradient(criterion, *inputs)
        yield f"{name}: loss", _distance(loss, expected_loss), 1e-5
        yield f"{name}: gradient", _distance(gradient, expected_gradient), 1e-4
        loss, gradient = _loss_and_gradient(criterion, inputs[0], torch.full_like(inputs[1], IGNORE_INDEX))
        yield f"{name}: loss and gradient of void", float(loss.abs() + gradient.abs().max()), 0
    scores = []
    for image, target in ((logits, mask), inputs):
        module = SegmentationModule(nn.Identity(), losses.Dice(), AdamW, LABELS).to(image.device)
        tested: Any = {"image": image, "mask": target, "name": list("abcd")}
        module.test_step([tested], 0)
        scores.append(torch.tensor([*module.test_evaluation.compute().as_dict(LABELS.class_names).values()]))
    yield "scores of a test", _distance(*scores), 1e-6


def networks() -> dict[str, nn.Module]:
    """The networks that are checked, with random weights."""
    return {
        **{f"U-Net {mode}": UNet(CLASSES, 3, (16, 32, 64), mode) for mode in get_args(UpsampleMode)},
        "Segmenter": Segmenter(CLASSES, 3, width=64, depth=2, heads=2),
    }


def check_network(network: nn.Module) -> Iterator[Check]:
    """Compares logits and gradients in training, and the predictor's probabilities, with the CPU's in float64."""
    cases = {  # precision, layout, tolerances of logits and of the gradient, in which ReLU and max-pooling may switch
        "float32": ("32-true", torch.contiguous_format, 1e-4, 3e-3),
        "float32 channels_last": ("32-true", torch.channels_last, 1e-4, 3e-3),
        "bf16 channels_last": ("bf16-mixed", torch.channels_last, 3e-2, 1e-1),
        "fp16 channels_last": ("16-mixed", torch.channels_last, 5e-3, 3e-2),
        "bf16 channels_last compiled": ("bf16-mixed", torch.channels_last, 3e-2, 1e-1),
    }
    images, mask = _batch()
    with torch.inference_mode():
        reference = deepcopy(network).eval().double()(normalize(images[:1]).double())[0].softmax(0)
    predictor = Predictor(deepcopy(network), LABELS, DEFAULT_NORMALIZATION)
    probabilities = torch.from_numpy(predictor.probabilities(images[0].permute(1, 2, 0).numpy()))
    yield "predictor: probabilities", _distance(probabilities, reference), 2e-2
    expected = _logits_and_gradient(deepcopy(network).double(), normalize(images).double(), mask)
    for case, (precision, layout, *tolerances) in cases.items():
        copy = deepcopy(network).to(find_device()).to(memory_format=layout)
        if case.endswith("compiled"):
            copy.compile()
        inputs = normalize(images).to(find_device()).contiguous(memory_format=layout), mask.to(find_device())
        logits, gradient = _logits_and_gradient(copy, *inputs, precision)
        yield f"{case}: logits", _distance(logits, expected[0]), tolerances[0]
        yield f"{case}: gradient", _distance(gradient, expected[1]), tolerances[1]


def check_step() -> Iterator[Check]:
    """Compares a step of SGD with clipped gradients in mixed precision with the CPU's in float64, computed by hand."""
    precision: Literal["16-mixed", "bf16-mixed"] = "16-mixed" if find_device() == "cuda" else "bf16-mixed"
    tolerance = {"16-mixed": 3e-2, "bf16-mixed": 1e-1}[precision]
    network, (images, mask), largest_norm = UNet(CLASSES, 3, (16, 32)), _batch(), 0.1
    criterion = losses.WeightedSum([losses.CrossEntropy(), losses.Dice()], [1.0, 1.0])
    exact = deepcopy(network).double()
    gradient = _vector(torch.autograd.grad(criterion(exact(normalize(images).double()), mask), [*exact.parameters()]))
    assert gradient.norm() > largest_norm
    module = SegmentationModule(deepcopy(network), criterion, partial(SGD, lr=1.0, fused=True), LABELS)
    trainer = pl.Trainer(
        accelerator=find_device(), devices=1, precision=precision, max_steps=1, gradient_clip_val=largest_norm,
        limit_val_batches=0, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    batches: Any = [{"image": images, "mask": mask.byte(), "name": list("abcd")}]
    trainer.fit(module, DataLoader(batches, batch_size=None))
    step = _vector([*module.network.parameters()]).cpu() - _vector([*network.parameters()])
    yield f"{precision}: weights", _distance(step, -gradient * largest_norm / gradient.norm()), tolerance


def _loss_and_gradient(criterion: nn.Module, logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.clone().requires_grad_()
    loss = criterion(logits, mask)
    return loss.detach(), torch.autograd.grad(loss, logits)[0]


def _logits_and_gradient(network: nn.Module, image: Tensor, mask: Tensor, amp: str = "32-true") -> list[Tensor]:
    """Returns logits in training, and the gradient of all weights as one vector."""
    with autocast(amp), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        logits = network(image)
        loss = cross_entropy_and_dice(logits if amp == "32-true" else logits.float(), mask)
        gradients = torch.autograd.grad(2**12 * loss, [*network.parameters()])  # small ones vanish in fp16
    return [logits.detach(), _vector(gradients) / 2**12]


def _batch() -> tuple[Tensor, Tensor]:
    return torch.randint(256, (4, 3, 128, 160), dtype=torch.uint8), torch.randint(CLASSES, (4, 128, 160))


def _vector(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def _distance(result: Tensor, reference: Tensor) -> float:
    return float((result.cpu().double() - reference.cpu().double()).norm() / reference.double().norm())
