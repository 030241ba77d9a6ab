"""Vision Transformer (Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929), with the parameter names of timm."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglit.errors import InputError


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2.2): (B, N, width) -> (B, N, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Every token becomes a mean of the values of all tokens, weighted by softmax(q k / sqrt(width / heads))."""
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))  # (B, N, 3, heads, width / heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, N, width / heads)
        mixed = F.scaled_dot_product_attention(query, key, value)  # (B, heads, N, width / heads)
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))  # (B, N, width)
        return out


class MLP(nn.Module):
    """Two linear layers, applied to each token: (B, N, width) -> (B, N, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """The hidden layer is four times as wide."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class LayerScale(nn.Module):
    """Multiplies each channel by a learned factor (Touvron et al. 2021, https://arxiv.org/abs/2103.17239)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width) -> (B, N, width)."""
        return x * self.gamma


class TransformerBlock(nn.Module):
    """Attention between tokens, then an MLP on each; both are added to their input, which is normalised first."""

    def __init__(self, width: int, heads: int, layer_scale: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.ls1 = LayerScale(width) if layer_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLP(width)
        self.ls2 = LayerScale(width) if layer_scale else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width) -> (B, N, width)."""
        x = x + self.ls1(self.attn(self.norm1(x)))
        out: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return out


class PatchEmbedding(nn.Module):
    """One token per patch, by a linear layer: (B, in_channels, H, W) -> (B, width, H / patch_size, W / patch_size)."""

    def __init__(self, in_channels: int, width: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, width, kernel_size=patch_size, stride=patch_size)

    def forward(self, x: Tensor) -> Tensor:
        """The linear layer is a convolution whose stride is its kernel size."""
        out: Tensor = self.proj(x)
        return out


class VisionTransformer(nn.Module):
    """A plain Vision Transformer: patches become tokens, and all blocks have the same resolution.

    Args:
        in_channels: Channels of the images.
        width: Channels of a token, a multiple of `heads`.
        depth: Number of blocks.
        heads: Attention heads per block.
        patch_size: Height and width of a patch in pixels.
        grid_size: Height and width, in patches, of the images that position embeddings are learned for. They are
            interpolated for others.
        class_token: Whether a token of no patch precedes the others.
        registers: Further such tokens (Darcet et al. 2024, https://arxiv.org/abs/2309.16588).
        embed_prefix: Whether these tokens have position embeddings too.
        layer_scale: Whether blocks have `LayerScale`.

    Raises:
        InputError: `width` is not a multiple of `heads`.
    """

    def __init__(
        self,
        in_channels: int = 3,
        width: int = 384,
        depth: int = 12,
        heads: int = 6,
        patch_size: int = 16,
        grid_size: tuple[int, int] = (14, 14),
        class_token: bool = True,
        registers: int = 0,
        embed_prefix: bool = True,
        layer_scale: bool = False,
    ) -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"width {width} is not a multiple of {heads} heads")
        self.width, self.heads, self.patch_size, self.grid_size = width, heads, patch_size, grid_size
        num_prefix = int(class_token) + registers
        self.num_embedded = num_prefix if embed_prefix else 0  # tokens of no patch that have a position embedding
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width)) if class_token else None
        self.reg_token = nn.Parameter(torch.zeros(1, registers, width)) if registers else None
        self.pos_embed = nn.Parameter(torch.zeros(1, self.num_embedded + grid_size[0] * grid_size[1], width))
        self.patch_embed = PatchEmbedding(in_channels, width, patch_size)
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads, layer_scale) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        init_transformer(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, in_channels, H, W), H and W multiples of `patch_size` -> tokens (B, N, width).

        The class token and the registers precede the patches, which are in the order of rows.
        """
        patches = self.patch_embed(x)  # (B, width, h, w)
        patches = patches + self._grid_positions(*patches.shape[-2:])
        prefix: list[Tensor] = [token for token in (self.cls_token, self.reg_token) if token is not None]
        if self.num_embedded:
            prefix = [torch.cat(prefix, dim=1) + self.pos_embed[:, : self.num_embedded]]
        tokens = [*(token.expand(x.shape[0], -1, -1) for token in prefix), patches.flatten(2).transpose(1, 2)]
        out: Tensor = self.norm(self.blocks(torch.cat(tokens, dim=1)))  # (B, prefix + h w, width)
        return out

    def _grid_positions(self, height: int, width: int) -> Tensor:
        """Returns the position embeddings of patches, interpolated: (1, channels, height, width)."""
        learned = self.pos_embed[:, self.num_embedded :].transpose(1, 2).reshape(1, -1, *self.grid_size)
        # in float32: PyTorch has no such interpolation in bfloat16 on a CPU
        grid = F.interpolate(learned.float(), size=(height, width), mode="bicubic", antialias=True)
        return grid.to(learned.dtype)


def init_transformer(module: nn.Module) -> None:
    """Initialises linear layers, tokens and position embeddings from a truncated N(0, 0.02^2), as Segmenter does."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for name, parameter in module.named_parameters(recurse=False):
        if name.endswith(("token", "tokens", "pos_embed")):
            nn.init.trunc_normal_(parameter, std=0.02)
