// Uses the pages in the frames of a document as a reader would; leaves what it saw as JSON in <pre>.
addEventListener("load", () => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parsed = {};
  const rgba = (color) => (parsed[color] ??= (() => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  })());
  const linear = (part) => (part <= 10 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); // of WCAG 2

  function worstContrasts(view, root) { // [ratio, text] by colour scheme
    const style = view.document.documentElement.style;
    const worst = Object.fromEntries(["light", "dark"].map((scheme) => {
      style.colorScheme = scheme;
      return [scheme, worstContrast(view, root)];
    }));
    style.colorScheme = "";
    return worst;
  }

  function worstContrast(view, root) {
    let worst = [99, ""];
    for (const element of root.querySelectorAll("*")) {
      const text = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim()).map((node) => node.data).join("");
      if (!text || !element.getClientRects().length || element.closest("script, style, option")) continue;
      const ink = view.getComputedStyle(element)[element.ownerSVGElement ? "fill" : "color"];
      let under = element;
      while (under && rgba(view.getComputedStyle(under).backgroundColor)[3] < 255) under = under.parentElement;
      const ratio = contrast(luminance(rgba(ink)), luminance(rgba(under ? view.getComputedStyle(under).backgroundColor : "white")));
      const scaled = element.ownerSVGElement ? ratio * 1.5 : ratio; // charts: 3, as of graphics
      if (scaled < worst[0]) worst = [scaled, text.trim()];
    }
    return worst;
  }

  function useViewer(view, page) {
    const key = (name, on) => on.dispatchEvent(new view.KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
    const buttons = [...page.querySelectorAll("button.open")], opener = buttons.find((button) => button.querySelector(".layer"));
    opener.focus();
    opener.click();
    const dialog = page.querySelector("dialog"), slider = dialog.querySelector("input"), stage = dialog.querySelector(".stage");
    const layer = () => dialog.querySelector(".canvas .layer");
    const seen = { open: dialog.open, name: dialog.querySelector("h2").textContent, images: dialog.querySelectorAll(".canvas img").length };
    seen.focusInside = dialog.contains(page.activeElement);
    seen.fits = dialog.getBoundingClientRect().width <= view.innerWidth && stage.getBoundingClientRect().height > 200;
    seen.opacity = [25, 80].map((value) => {
      slider.value = value;
      slider.dispatchEvent(new view.Event("input", { bubbles: true }));
      return Number(view.getComputedStyle(layer()).opacity);
    });
    stage.dispatchEvent(new view.WheelEvent("wheel", { deltaY: -1000, bubbles: true, cancelable: true, clientX: 50, clientY: 300 }));
    seen.zoomed = dialog.querySelector(".scale").textContent !== "100 %";
    key("0", dialog);
    seen.fitted = dialog.querySelector(".scale").textContent;
    key("ArrowRight", dialog);
    seen.next = dialog.querySelector("h2").textContent;
    key("ArrowLeft", slider); // moves the slider instead
    seen.stays = dialog.querySelector("h2").textContent === seen.next;
    key("ArrowLeft", dialog);
    seen.back = dialog.querySelector("h2").textContent;
    seen.contrast = worstContrasts(view, dialog);
    dialog.querySelector("[data-do=close]").click();
    seen.closed = !dialog.open;
    return seen;
  }

  function useFilters(view, page) {
    const form = page.querySelector("form.filters"), items = [...page.querySelectorAll("[data-classes]")];
    const visible = () => items.filter((item) => item.getClientRects().length);
    return Object.fromEntries([...form.querySelectorAll("select")].map((select) => {
      const value = select.options[select.options.length - 1].value;
      select.value = value;
      select.dispatchEvent(new view.Event("change", { bubbles: true }));
      const key = select.name === "class" ? "classes" : "findings";
      const wrong = items.filter((item) => item.dataset[key].split(" ").includes(value) !== item.getClientRects().length > 0);
      const seen = { shown: visible().length, all: items.length, wrong: wrong.length, hash: view.location.hash, said: form.querySelector("output").textContent };
      select.value = "";
      select.dispatchEvent(new view.Event("change", { bubbles: true }));
      return [select.name, { ...seen, restored: visible().length }];
    }));
  }

  function sort(page) {
    const table = page.querySelector("table.sortable");
    if (!table) return null;
    const button = table.querySelector("th.n button"), column = button.parentElement.cellIndex;
    return [0, 1].map(() => {
      button.click();
      return [...table.tBodies[0].rows].map((row) => Number(row.cells[column].dataset.value));
    });
  }

  const seen = [...document.querySelectorAll("iframe")].map((frame) => {
    const view = frame.contentWindow, page = frame.contentDocument;
    return {
      page: frame.dataset.page, width: view.innerWidth,
      scrollWidth: page.documentElement.scrollWidth, contrast: worstContrasts(view, page.body),
      viewer: useViewer(view, page), filters: useFilters(view, page), sorted: sort(page), errors: view.errors,
    };
  });
  document.body.textContent = "";
  const result = document.body.appendChild(document.createElement("pre"));
  result.textContent = JSON.stringify(seen);
});
