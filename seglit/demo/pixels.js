// Pictures as the values that seglit reads from their files.
const MAX_PIXELS = 2 ** 20; // what the memory of WebAssembly, 4 GiB, allows wide networks

export async function decode(file) {
  const start = new Uint8Array(await file.slice(0, 25).arrayBuffer());
  if (start[0] === 137 && start[24] === 16) throw new Error("this PNG has 16 bits per channel; the browser reads 8");
  let bitmap;
  try { // upright, and with the stored values, not those that a colour profile makes of them
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error("this browser cannot read the file; it reads PNG, JPEG, WebP, GIF and BMP");
  }
  const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (bitmap.width * bitmap.height)));
  const width = Math.max(1, Math.floor(bitmap.width * scale)), height = Math.max(1, Math.floor(bitmap.height * scale));
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const rgba = context.getImageData(0, 0, width, height).data;
  const notes = scale < 1 ? [`reduced from ${bitmap.width} × ${bitmap.height}, as this page predicts at most 1 megapixel`] : [];
  // a canvas stores colours multiplied by alpha
  if (rgba.some((value, at) => at % 4 === 3 && value > 0 && value < 255)) notes.push("colours of half-transparent pixels are rounded");
  bitmap.close();
  return { width, height, note: notes.join("; "), rgba, picture: context.canvas.transferToImageBitmap() };
}

// Returns the values (channels, height * width), and which pixels have no data; these are filled.
export function prepare(rgba, { channels, fill, nodata }) {
  const pixels = rgba.length / 4, values = new Uint8Array(channels * pixels), empty = new Uint8Array(pixels);
  const lacks = (at) => [0, 1, 2].every((band) => rgba[at + band] === nodata[nodata.length > 1 ? band : 0]);
  for (let index = 0, at = 0; index < pixels; index++, at += 4) {
    empty[index] = rgba[at + 3] === 0 || (nodata.length && lacks(at)) ? 1 : 0;
    // ITU-R 601, as Pillow rounds it
    if (channels === 1) values[index] = (19595 * rgba[at] + 38470 * rgba[at + 1] + 7471 * rgba[at + 2] + 0x8000) >> 16;
    else for (let band = 0; band < 3; band++) values[band * pixels + index] = rgba[at + band];
    if (empty[index]) for (let band = 0; band < channels; band++) values[band * pixels + index] = fill[band];
  }
  return { values, empty };
}
