"""`seglit predict`: masks for files, folders, glob patterns, videos and TIFFs of any size."""

from pathlib import Path

from seglit.predict.settings import Flips, LabelFormat, Masks, Precision, Settings


def predict(
    run: str,
    inputs: list[str],
    output: str = "predictions",
    masks: Masks = "stored",
    overlays: bool = False,
    probabilities: bool = False,
    tile: int | None = None,
    overlap: float = 0.25,
    flips: Flips = "none",
    scales: tuple[float, ...] = (1.0,),
    precision: Precision | None = None,
    nodata: bool = True,
    labels: LabelFormat | None = None,
    trust: str | list[str] | None = None,
) -> int:
    """Predicts the masks of images with a trained network. Called again, it skips images that are done.

    Masks are written to OUTPUT/masks under the images' names and sub-folders: PNG, or TIFF (stack) with georeference.

    Args:
        run: Run folder, checkpoint, file or bundle of `seglit export`, or hf:owner/name.
        inputs: Images, folders of images, videos, or glob patterns; one or more.
        output: Output folder.
        masks: Mask encoding: the values stored in the training masks, or the classes' colours.
        overlays: Also write OUTPUT/overlays: the images blended with their masks, without the background.
        probabilities: Also write OUTPUT/probabilities: float16 arrays (classes, height, width) as NPY.
        tile: Tile size in pixels for larger images; by default, images of up to 4 megapixels are predicted whole.
        overlap: Overlap of neighbouring tiles, as a fraction of the tile size.
        flips: Average the predictions of flipped copies: horizontal, or all (horizontal and vertical).
        scales: Average the predictions of resized copies, such as [0.75,1,1.25].
        precision: Precision of the network; by default the fastest that the hardware supports.
        nodata: Mark pixels without data (NaN, no-data values, transparency) in the masks by 255, or the next lower
            value that no class stores; masks of TIFFs state it. false predicts a class there.
        labels: Also write OUTPUT/labels: the masks in the format of a labelling tool, to be imported and corrected.
        trust: Package or packages whose networks may be loaded besides those of seglit and its libraries: mynet.

    Returns:
        0 if all images are done, 1 if some could not be read or predicted.

    Raises:
        InputError: The run, an input or an option is invalid, or OUTPUT contains predictions made with other settings.
    """
    settings = Settings(tile, overlap, flips, scales, precision, nodata)
    from seglit.predict.pipeline import predict_files  # loads torch

    return predict_files(run, inputs, Path(output), settings, masks, overlays, probabilities, labels, trust)
