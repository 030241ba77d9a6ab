// Predicts in this browser, in a worker, so that the page stays responsive.
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const waiting = new Map(); // id to the promise's functions
let count = 0;
let failure; // of a worker that cannot start, and answers nothing

worker.addEventListener("message", ({ data: { id, error, ...answer } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error) reject(new Error(error));
  else resolve(answer);
});
worker.addEventListener("error", (event) => {
  failure = new Error(event.message || "the worker cannot start");
  for (const { reject } of waiting.values()) reject(failure);
  waiting.clear();
});

export const promise = "Pictures are predicted in this browser and sent nowhere.";

// Predicts an image file: { width, height, picture, mask, note, probabilitiesAt(index) }.
export async function predict(file) {
  if (failure) throw failure;
  const { probabilities, ...answer } = await new Promise((resolve, reject) => {
    waiting.set(++count, { resolve, reject });
    worker.postMessage({ id: count, file });
  });
  const pixels = answer.width * answer.height, classes = probabilities.length / pixels;
  const probabilitiesAt = async (index) => Array.from({ length: classes }, (_, channel) => probabilities[channel * pixels + index]);
  return { ...answer, probabilitiesAt };
}

export async function predictExample({ file }) {
  return predict(await (await fetch(file)).blob());
}
