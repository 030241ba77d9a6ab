// Predicts on the machine that serves this page, by `seglit serve`.
export const promise = "Pictures are predicted on the machine that serves this page.";

async function ask(file, format) {
  const response = await fetch(`predict?format=${format}`, { method: "POST", body: file });
  if (response.ok) return response;
  throw new Error((await response.json().catch(() => ({}))).detail ?? response.statusText);
}

// Predicts an image file: { width, height, picture, mask, note, probabilitiesAt(index) }.
export async function predict(file) {
  const decoded = await createImageBitmap(await (await ask(file, "indices")).blob(), { colorSpaceConversion: "none" });
  const { width, height } = decoded, context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(decoded, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  const mask = new Uint8Array(width * height).map((_, index) => rgba[4 * index]);
  let probabilities; // asked for when they are first looked at: they are large
  async function probabilitiesAt(index) {
    probabilities ??= ask(file, "probabilities").then((response) => response.arrayBuffer());
    try {
      return column(await probabilities, width * height, index);
    } catch (error) {
      probabilities = undefined;
      throw error;
    }
  }
  return { width, height, picture: await display(file), mask, note: "", probabilitiesAt };
}

export async function predictExample({ name, file }) {
  return predict(new File([await (await fetch(file)).blob()], name));
}

async function display(file) {
  const options = { imageOrientation: "from-image", colorSpaceConversion: "none" };
  return createImageBitmap(file, options).catch(async () => createImageBitmap(await (await ask(file, "image")).blob(), options));
}

// The values of a pixel in an NPY file of float16 (classes, height, width).
function column(buffer, pixels, index) {
  const view = new DataView(buffer), start = 10 + view.getUint16(8, true), classes = (buffer.byteLength - start) / 2 / pixels;
  return Array.from({ length: classes }, (_, channel) => half(view.getUint16(start + 2 * (channel * pixels + index), true)));
}

function half(bits) { // between 0 and 1
  const exponent = bits >> 10, fraction = (bits & 1023) / 1024;
  return exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
}
