// The page: shows what predictor.js, which predicts in the browser or on a server, returns.
import { encodeMask } from "./png.js";
import { predict, predictExample, promise } from "./predictor.js";

const VOID = 255, LISTED = 5; // classes of a pixel
const element = (id) => document.getElementById(id);
const [stage, picture, layer, marker, opacity] = ["stage", "picture", "layer", "marker", "opacity"].map(element);
const demo = await (await fetch("demo.json")).json();
const names = Array.from({ length: 256 }, (_, index) => demo.classes[index]?.name ?? "no data");
const colors = Array.from({ length: 256 }, (_, index) => demo.classes[index]?.color ?? [200, 200, 200]); // as void in other pictures
const stored = Array.from({ length: 256 }, (_, index) => demo.classes[index]?.stored ?? demo.void);
const hidden = new Set(); // classes that the reader has switched off
let current; // the prediction that is shown
let started = 0; // number of predictions
let view = "overlay";
let pixel = null; // [x, y]

const percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);
const css = (index) => `rgb(${colors[index].join(" ")})`;

function make(tag, text = "", ...children) {
  const made = document.createElement(tag);
  made.append(text, ...children);
  return made;
}

function bar(share, index) {
  const meter = make("span", "", make("i"));
  meter.className = "meter";
  Object.assign(meter.firstElementChild.style, { width: `${100 * share}%`, background: css(index) });
  return meter;
}

function named(index) {
  const swatch = make("span");
  swatch.className = "swatch";
  swatch.style.background = css(index);
  return make("span", "", swatch, names[index]);
}

function share(value) {
  const made = make("span", percent(value));
  made.className = "share";
  return made;
}

function say(text, isError = false) {
  element("status").textContent = text;
  element("status").classList.toggle("error", isError);
}

async function show(name, predicting) {
  const number = ++started, start = performance.now();
  stage.setAttribute("aria-busy", true);
  say(`${name}: predicting …`);
  try {
    const answer = await predicting;
    if (number !== started) return;
    current = { name, ...answer };
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    say([`${name}: ${answer.width} × ${answer.height} pixels in ${seconds} s`, answer.note].filter(Boolean).join("; "));
    draw();
  } catch (error) {
    if (number === started) say(`${name}: ${error.message}`, true);
  } finally {
    if (number === started) stage.setAttribute("aria-busy", false);
  }
}

function draw() {
  const { width, height } = current;
  for (const canvas of [picture, layer]) Object.assign(canvas, { width, height, hidden: false });
  picture.getContext("2d").drawImage(current.picture, 0, 0);
  stage.style.setProperty("--ratio", width / height);
  stage.classList.add("filled");
  stage.classList.toggle("coarse", stage.clientWidth > 3 * width);
  element("hint").hidden = true;
  element("controls").hidden = element("results").hidden = false;
  hidden.clear();
  list();
  paint();
  choose(null);
}

// Colours of the class indices as RGBA, of the overlay or of the whole mask.
function paint() {
  const inks = Uint8ClampedArray.from(colors.flatMap((color, index) => {
    const seen = !hidden.has(index) && (view === "mask" || index !== demo.background);
    return [...color, seen ? 255 : 0];
  }));
  const words = new Uint32Array(inks.buffer), image = new ImageData(current.width, current.height);
  const target = new Uint32Array(image.data.buffer);
  current.mask.forEach((index, at) => { target[at] = words[index]; });
  layer.getContext("2d").putImageData(image, 0, 0);
  fade();
}

function fade() {
  const value = { image: 0, overlay: opacity.value / 100, mask: 1 }[view];
  layer.style.setProperty("--opacity", value);
  element("percent").textContent = `${Math.round(100 * value)} %`;
  opacity.disabled = view !== "overlay";
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", button.dataset.view === view);
}

function list() {
  const counts = new Array(256).fill(0);
  for (const index of current.mask) counts[index]++;
  const present = counts.map((_, index) => index).filter((index) => counts[index]).sort((a, b) => counts[b] - counts[a]);
  element("legend").replaceChildren(...present.map((index) => {
    const part = counts[index] / current.mask.length;
    const button = make("button", "", named(index), share(part), bar(part, index));
    button.type = "button";
    button.setAttribute("aria-pressed", true);
    button.title = "Show or hide this class";
    button.addEventListener("click", () => {
      if (!hidden.delete(index)) hidden.add(index);
      button.setAttribute("aria-pressed", !hidden.has(index));
      paint();
    });
    return button;
  }));
  const absent = demo.classes.filter((_, index) => !counts[index]).map(({ name }) => name);
  element("absent").textContent = absent.length > 8 ? `${absent.length} other classes: none` : absent.length ? `None of: ${absent.join(", ")}` : "";
}

async function choose(at) {
  pixel = at;
  marker.hidden = !at;
  const bars = element("probabilities");
  if (!at) {
    element("pixel").textContent = "Click the picture to see the probabilities of a pixel.";
    return bars.replaceChildren();
  }
  const [x, y] = at, from = current, index = y * current.width + x;
  marker.style.left = `${(100 * (x + 0.5)) / current.width}%`;
  marker.style.top = `${(100 * (y + 0.5)) / current.height}%`;
  element("pixel").textContent = `x ${x}, y ${y}: ${names[current.mask[index]]}`;
  if (current.mask[index] === VOID) return bars.replaceChildren();
  try {
    const probabilities = await current.probabilitiesAt(index);
    if (pixel !== at || from !== current) return;
    const order = probabilities.map((_, of) => of).sort((a, b) => probabilities[b] - probabilities[a]).slice(0, LISTED);
    bars.replaceChildren(...order.map((of) => {
      const row = make("div", "", named(of), share(probabilities[of]), bar(probabilities[of], of));
      row.className = "bars";
      return row;
    }));
  } catch (error) {
    say(error.message, true);
  }
}

function save(blob, suffix) {
  const link = make("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${current.name.replace(/\.[^.]*$/, "")}${suffix}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function saveOverlay() {
  const canvas = new OffscreenCanvas(current.width, current.height), context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  context.globalAlpha = Number(layer.style.getPropertyValue("--opacity"));
  context.drawImage(layer, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

function open(file) {
  for (const button of element("examples").children) button.setAttribute("aria-pressed", false);
  show(file.name, predict(file));
}

element("title").textContent = document.title = demo.title;
element("facts").textContent = `Semantic segmentation into ${demo.classes.length} classes`;
element("promise").textContent = promise;
element("file").addEventListener("change", ({ target }) => {
  if (target.files.length) open(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
});
for (const type of ["dragenter", "dragover", "dragleave", "drop"])
  document.addEventListener(type, (event) => {
    event.preventDefault();
    stage.classList.toggle("over", type === "dragenter" || type === "dragover");
    if (type === "drop" && event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
  });
stage.addEventListener("click", (event) => {
  if (!current) return element("file").click();
  const box = stage.getBoundingClientRect();
  const [x, y] = [(event.clientX - box.left - stage.clientLeft) / stage.clientWidth, (event.clientY - box.top - stage.clientTop) / stage.clientHeight];
  choose([[x, current.width], [y, current.height]].map(([part, side]) => Math.min(side - 1, Math.max(0, Math.floor(part * side)))));
});
stage.addEventListener("keydown", (event) => {
  const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
  if (!current || right === undefined) return;
  event.preventDefault();
  const [x, y] = pixel ?? [current.width >> 1, current.height >> 1], step = event.shiftKey ? 10 : 1;
  choose([Math.min(current.width - 1, Math.max(0, x + step * right)), Math.min(current.height - 1, Math.max(0, y + step * down))]);
});
for (const button of document.querySelectorAll("[data-view]"))
  button.addEventListener("click", () => {
    view = button.dataset.view;
    paint();
  });
opacity.addEventListener("input", fade);
element("save-mask").addEventListener("click", async () => save(await encodeMask(current.mask, current.width, current.height, stored, colors), "-mask"));
element("save-overlay").addEventListener("click", async () => save(await saveOverlay(), "-overlay"));
element("examples").append(...demo.examples.map((example) => {
  const image = make("img"), button = make("button", "", image);
  Object.assign(image, { src: example.thumbnail, alt: example.name, loading: "lazy" });
  button.type = "button";
  button.title = example.name;
  button.setAttribute("aria-pressed", false);
  button.addEventListener("click", () => {
    for (const other of element("examples").children) other.setAttribute("aria-pressed", other === button);
    show(example.name, predictExample(example));
  });
  return button;
}));
element("examples").hidden = !demo.examples.length;
element("file").disabled = false;
element("examples").firstElementChild?.click();
