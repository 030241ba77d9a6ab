"""Shards the weights of a network across ranks (FSDP2), for networks that are too large for one GPU."""

from collections.abc import Iterator
from itertools import chain

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard


def shard(network: nn.Module, mesh: DeviceMesh | None) -> None:
    """Shards weights, gradients and optimizer state of a network across all ranks of a mesh, whatever its dimensions.

    A rank keeps its share of every weight. Each direct part of the network, such as an encoder, gathers its weights
    while it computes, and frees them after that. Buffers are not sharded.

    Args:
        network: The network, the same on all ranks but for its values: rank 0's are taken, as DDP does.
        mesh: The devices. Without, or if the network is sharded already, nothing is done.
    """
    if mesh is None or isinstance(network, FSDPModule):
        return
    device = torch.device(mesh.device_type)
    for tensor in chain(network.parameters(), network.buffers()):
        whole = tensor.detach().to(device).contiguous()  # FSDP2 shards no weights in channels_last
        distributed.broadcast(whole, 0)
        tensor.data = whole.to(tensor.device)
    for part in _parts(network):
        fully_shard(part)
    fully_shard(network, reshard_after_forward=True)  # else its weights stay whole after a validation


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """The direct parts that have weights; of a list or dictionary, which is not called itself, its entries."""
    for part in module.children():
        if isinstance(part, nn.ModuleList | nn.ModuleDict):
            yield from _parts(part)
        elif any(True for _ in part.parameters()):
            yield part
