"use strict";
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const rows = [...document.querySelectorAll("table.verdicts tbody tr")].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  const apply = () => {
    const wanted = Object.fromEntries(new FormData(form));
    const words = wanted.words.toLowerCase().split(/\s+/).filter(Boolean);
    delete wanted.words;
    let shown = 0;
    for (const { row, text } of rows) {
      const fits = Object.entries(wanted).every(([name, value]) => !value || row.dataset[name] === value) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    document.getElementById("shown").textContent = `${shown} of ${rows.length} rows shown`;
    document.getElementById("none").hidden = shown > 0;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  apply();
})();
