// Tables of the class "sortable": a button in a head sorts the rows by its column.
for (const table of document.querySelectorAll("table.sortable")) {
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  for (const button of table.querySelectorAll("th button"))
    button.addEventListener("click", () => {
      const head = button.parentElement, column = head.cellIndex, body = table.tBodies[0];
      const numeric = head.classList.contains("n");
      const up = head.hasAttribute("aria-sort") ? head.getAttribute("aria-sort") === "descending" : !numeric;
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const order = (a, b) => numeric ? value(a, column) - value(b, column) : value(a, column).localeCompare(value(b, column));
      body.append(...[...body.rows].sort((a, b) => (up ? 1 : -1) * order(a, b)));
    });
}
