// The viewer: a click on a picture opens it large, with zoom, its layers, and a slider for their opacity.
// A picture is an element with data-picture, its name, that contains one img.photo and any number of img.layer.
{
  const pictures = [...document.querySelectorAll("[data-picture]")];
  const dialog = document.createElement("dialog");
  dialog.className = "viewer";
  dialog.setAttribute("aria-labelledby", "viewer-name");
  dialog.innerHTML = `
    <header><h2 id="viewer-name"></h2><span class="count"></span><button type="button" data-do="close" aria-label="Close">✕</button></header>
    <div class="stage"><div class="canvas"></div></div>
    <p class="caption"></p>
    <footer>
      <span class="choices" role="group" aria-label="Layer"></span>
      <label>Opacity <input type="range" min="0" max="100" aria-label="Opacity of the layer"></label>
      <span role="group" aria-label="Zoom"><button type="button" data-do="out" aria-label="Zoom out">−</button><button type="button" data-do="fit" class="scale" aria-label="Fit">100 %</button><button type="button" data-do="in" aria-label="Zoom in">+</button></span>
      <span role="group" aria-label="Pictures"><button type="button" data-do="previous" aria-label="Previous picture">←</button><button type="button" data-do="next" aria-label="Next picture">→</button></span>
    </footer>`;
  const part = (selector) => dialog.querySelector(selector);
  const [stage, canvas, slider, choices] = [".stage", ".canvas", "input", ".choices"].map(part);
  const pointers = new Map(); // id to position
  let current, layer, scale, x, y; // picture, title of its layer ("": none), zoom and shift of the canvas

  const layersOf = (picture) => [...picture.querySelectorAll("img.layer")];
  const shown = () => pictures.filter((picture) => picture.getClientRects().length);

  function open(picture, title) {
    current = picture;
    if (!dialog.open) dialog.showModal();
    const among = shown();
    part("h2").textContent = picture.dataset.picture;
    part(".count").textContent = `${among.indexOf(picture) + 1} of ${among.length}`;
    part(".caption").textContent = picture.dataset.caption ?? "";
    const titles = layersOf(picture).map((image) => image.alt);
    choices.replaceChildren(...["", ...titles].map((of) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = of || "image";
      button.addEventListener("click", () => show(of));
      return button;
    }));
    show(titles.includes(title) || title === "" ? title : titles[0] ?? "");
    move(1, 0, 0);
  }

  function show(title) {
    layer = title;
    const photo = current.querySelector("img.photo"), over = layersOf(current).find((image) => image.alt === title);
    const copies = [photo, over].filter(Boolean).map((image) => Object.assign(image.cloneNode(), { loading: "eager" }));
    copies[0].classList.toggle("grey", Boolean(over?.classList.contains("on-grey")));
    canvas.replaceChildren(...copies);
    [...choices.children].forEach((button) => button.setAttribute("aria-pressed", button.textContent === (title || "image")));
    slider.disabled = !over;
  }

  function move(toScale, toX, toY) {
    const box = stage.getBoundingClientRect();
    scale = Math.min(32, Math.max(1, toScale));
    const limit = (size) => ((scale - 1) * size) / 2;
    x = Math.min(limit(box.width), Math.max(-limit(box.width), toX));
    y = Math.min(limit(box.height), Math.max(-limit(box.height), toY));
    canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    canvas.classList.toggle("pixels", scale >= 4);
    part(".scale").textContent = `${Math.round(100 * scale)} %`;
  }

  function zoom(factor, clientX, clientY) { // about a point, by default the middle of the stage
    const box = stage.getBoundingClientRect(), to = Math.min(32, Math.max(1, scale * factor));
    const [fromX, fromY] = clientX === undefined ? [0, 0] : [clientX - box.left - box.width / 2, clientY - box.top - box.height / 2];
    move(to, fromX - ((fromX - x) * to) / scale, fromY - ((fromY - y) * to) / scale);
  }

  function step(by) {
    const among = shown();
    open(among[(among.indexOf(current) + by + among.length) % among.length], layer);
  }

  const actions = {
    close: () => dialog.close(), in: () => zoom(1.5), out: () => zoom(1 / 1.5), fit: () => move(1, 0, 0),
    previous: () => step(-1), next: () => step(1),
  };
  const keys = { "+": "in", "=": "in", "-": "out", 0: "fit", ArrowLeft: "previous", ArrowRight: "next" };
  dialog.addEventListener("click", (event) => actions[event.target.dataset.do]?.());
  dialog.addEventListener("keydown", (event) => {
    if (event.key in keys && event.target !== slider && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      actions[keys[event.key]]();
    }
  });
  dialog.addEventListener("close", () => current.querySelector("button.open").focus());
  slider.addEventListener("input", () => document.documentElement.style.setProperty("--opacity", slider.value / 100));

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(1.0015 ** -event.deltaY, event.clientX, event.clientY);
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => (scale > 1 ? move(1, 0, 0) : zoom(4, event.clientX, event.clientY)));
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
  });
  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const other = [...pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
    pointers.set(event.pointerId, event);
    if (!other) return move(scale, x + event.clientX - before.clientX, y + event.clientY - before.clientY);
    const distance = (a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY) || 1;
    zoom(distance(event) / distance(before), (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => pointers.delete(event.pointerId));

  for (const picture of pictures)
    for (const button of picture.querySelectorAll("button.open")) {
      const over = button.querySelector(".layer");
      if (!button.querySelector(".photo")) { // the page contains each photo once
        const copy = Object.assign(picture.querySelector("img.photo").cloneNode(), { alt: "" });
        copy.classList.toggle("grey", over.classList.contains("on-grey"));
        button.prepend(copy);
      }
      button.addEventListener("click", () => open(picture, over?.alt ?? ""));
    }
  if (pictures.length) document.body.append(dialog);
  slider.value = 100 * getComputedStyle(document.documentElement).getPropertyValue("--opacity");
}
