// Runs the network on a picture, and returns class indices and probabilities.
import * as ort from "./onnxruntime-web/ort.wasm.bundle.min.mjs";
import { decode, prepare } from "./pixels.js";

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
