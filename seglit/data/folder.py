"""Data modules for folders of images and masks, in the usual layouts."""

from typing import Any

from seglit.data.file_dataset import FolderDataset
from seglit.data.file_pairs import PairsDataModule
from seglit.images.mask_settings import MaskOrientation, MaskSettings
from seglit.images.pairs import PairSettings, Split
from seglit.images.read import PairReader
from seglit.labels import Labels


class FolderDataModule(PairsDataModule):
    """Images and masks in a folder: PNG, JPEG, TIFF, WebP, BMP, GIF, .npy, or TIFF stacks, whose slices are samples.

    Three layouts:

    - split folders: `images: images/{split}`, `masks: masks/{split}`, for the splits train, val and test;
    - flat folders: `images: images`, `masks: masks`, and `splits`, either list files (one name per line) or shares;
    - a CSV of pairs: `pairs: pairs.csv` with columns `image`, `mask` (relative to root) and, unless `splits` is
      set, `split`.

    Args:
        root: The folder that all other paths are relative to.
        class_names: One name per class, in the order of the class indices.
        images: Folder of the images, sub-folders included. `{split}` stands for train, val or test; for folders of
            other names, a folder for each split (`{train: training, val: validation}`).
        masks: Folder of the masks, in the same sub-folders.
        image_name: File name of an image; `{stem}` is the part that it shares with its mask, `.*` any suffix. Images
            of other names are ignored. Either one for all splits, or one for each split (`{train: ..., val: ...}`).
        mask_name: File name of a mask, likewise. A mask in several files has `{class}`, which stands for a class, or
            `*`, for any text: `{stem}_{class}.*`, `{class}/{stem}.*`, `{stem}/masks/*.png` (one foreground class).
            What is not 0 is the class, the rest the class without files (`seglit.images.part_drawing`).
        splits: Split to list file (`train: train.txt`), or to a share of the images without split, or of train (`val:
            0.1`, `test: 0.2`), drawn from `split_seed` and the names. `{folds: 5, fold: 0}` makes fold 0 of 5 val.
        split_seed: Seed of the shares; separate from `seed`, so the split is the same for every seed of a run.
        group: What must stay in one split, and is one for confidence intervals, such as a patient or a video: a column
            of the CSV, or a regular expression whose first group, searched in the names, is it (`"^(video[0-9]+)"`).
        pairs: A CSV of pairs, instead of `images` and `masks`.
        exclude: Images to exclude, relative to root, such as those that `seglit inspect` finds unusable.
        mask_values: Class name to the stored integer or integers; default: the stored value is the class index.
        mask_colors: Class name to the stored RGB colour or colours.
        ignore_values: Stored values (or colours) that are void.
        mask_tolerance: A stored value within this distance of a listed one counts as that one, any other is void; for
            masks blurred by JPEG or anti-aliasing. 0 accepts listed values only.
        mask_orientation: Whether masks show the image `upright`, or as `stored`, without its EXIF orientation. None
            decides by each mask's size; one that fits both ways is upright. A mask's own EXIF orientation comes first.
        mask_divisor: Stored integers from this on are class * mask_divisor + instance, as in the instanceIds of
            Cityscapes (1000), and are divided by it; smaller ones are classes. 1 divides nothing.
        resize_masks: Accept masks that show the whole image at another scale. Training resizes them to the image by
            nearest neighbour; scores are counted at the mask's size, to which the logits are resized (bilinear).
        palette: RGB colours to draw the classes in.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: Settings contradict each other, or a folder, list, CSV or mask is missing.
    """

    def __init__(
        self,
        root: str,
        class_names: list[str],
        images: str | dict[str, str] = "images/{split}",
        masks: str | dict[str, str] = "masks/{split}",
        image_name: str | dict[str, str] = "{stem}.*",
        mask_name: str | dict[str, str] = "{stem}.*",
        splits: dict[str, float | str] | None = None,
        split_seed: int = 0,
        group: str | None = None,
        pairs: str | None = None,
        exclude: list[str] | None = None,
        mask_values: dict[str, int | list[int]] | None = None,
        mask_colors: dict[str, list[int] | list[list[int]]] | None = None,
        ignore_values: list[int | list[int]] | None = None,
        mask_tolerance: int = 0,
        mask_orientation: MaskOrientation | None = None,
        mask_divisor: int = 1,
        resize_masks: bool = False,
        palette: list[list[int]] | None = None,
        **loader: Any,
    ) -> None:
        labels = Labels.create(class_names, mask_values, mask_colors, ignore_values or [], palette, mask_tolerance)
        settings = PairSettings(images, masks, image_name, mask_name, splits, split_seed, group, pairs, exclude or ())
        super().__init__(root, labels, settings, **loader)
        mask_settings = MaskSettings(mask_orientation, mask_divisor, resize_masks)
        self.reader = PairReader(labels, self.in_channels, self.nodata, mask_settings)

    def dataset(self, split: Split) -> FolderDataset:
        """Returns the data set of a split."""
        return FolderDataset(self.pairs_of(split), self.reader)
