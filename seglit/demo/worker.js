// Decodes a picture as seglit does, runs the network, and returns class indices and probabilities.
import * as ort from "./onnxruntime-web/ort.wasm.bundle.min.mjs";

const MAX_PIXELS = 2 ** 20; // what the memory of WebAssembly, 4 GiB, allows wide networks
const VOID = 255;
ort.env.wasm.numThreads = 1; // more need headers that a plain web server does not send
ort.env.logLevel = "error";

const ready = Promise.all([
  fetch("demo.json").then((response) => response.json()),
  ort.InferenceSession.create(new URL("model.onnx", import.meta.url).href),
]);

addEventListener("message", async ({ data: { id, file } }) => {
  try {
    const [demo, session] = await ready;
    const decoded = await decode(file);
    const { width, height, rgba } = decoded;
    const { values, empty } = prepare(rgba, demo.input);
    const image = new ort.Tensor("uint8", values, [1, demo.input.channels, height, width]);
    const { probabilities } = await session.run({ image });
    const mask = largest(probabilities.data, demo.classes.length, empty);
    postMessage({ id, ...decoded, mask, probabilities: probabilities.data }, [decoded.picture, mask.buffer, probabilities.data.buffer]);
  } catch (error) {
    postMessage({ id, error: error.message || String(error) });
  }
});

async function decode(file) {
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
  const note = scale < 1 ? `reduced from ${bitmap.width} × ${bitmap.height}, as this page predicts at most 1 megapixel` : "";
  bitmap.close();
  return { width, height, note, rgba: context.getImageData(0, 0, width, height).data, picture: context.canvas.transferToImageBitmap() };
}

// Returns the values (channels, height * width), and which pixels have no data; these are filled.
function prepare(rgba, { channels, fill, nodata }) {
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

function largest(probabilities, classes, empty) {
  const pixels = empty.length, mask = new Uint8Array(pixels);
  for (let index = 0; index < pixels; index++) {
    let best = 0;
    for (let channel = 0; channel < classes; channel++) {
      const value = probabilities[channel * pixels + index];
      if (Number.isNaN(value)) throw new Error("the network answers NaN");
      if (value > probabilities[best * pixels + index]) best = channel;
    }
    mask[index] = empty[index] ? VOID : best;
  }
  return mask;
}
