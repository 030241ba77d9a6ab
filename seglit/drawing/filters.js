// Forms of the class "filters": hide what does not match the choices, which the URL's hash keeps.
for (const form of document.querySelectorAll("form.filters")) {
  const items = [...document.getElementById(form.dataset.of).querySelectorAll("[data-classes]")];
  const selects = [...form.querySelectorAll("select")];

  const apply = () => {
    const [ofClass, ofFinding] = ["class", "finding"].map((name) => form.elements[name]?.value ?? "");
    for (const item of items) {
      const findings = item.dataset.findings ?? "";
      const matches = ofFinding === "none" ? findings === "" : ofFinding === "" || findings.split(" ").includes(ofFinding);
      item.hidden = !matches || (ofClass !== "" && !item.dataset.classes.split(" ").includes(ofClass));
    }
    form.querySelector("output").textContent = `${items.filter((item) => !item.hidden).length} of ${items.length} pictures`;
  };
  const readHash = () => {
    if (!location.hash.includes("=")) return apply(); // an anchor, or nothing
    const state = new URLSearchParams(location.hash.slice(1));
    for (const select of selects) {
      select.value = state.get(select.name) ?? "";
      if (select.selectedIndex < 0) select.value = "";
    }
    apply();
  };
  form.addEventListener("change", () => {
    const chosen = selects.filter((select) => select.value).map((select) => [select.name, select.value]);
    history.replaceState(null, "", `#${new URLSearchParams(chosen)}`);
    apply();
  });
  const follow = () => {
    readHash();
    if (location.hash.includes("=")) form.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  for (const link of document.querySelectorAll('a[href*="="]'))
    link.addEventListener("click", () => link.hash === location.hash && follow()); // the hash does not change then
  follow();
}
