"use strict";
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const rows = [...document.querySelectorAll("table.verdicts tr[data-verdict]")].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  const groups = [...document.querySelectorAll("table.verdicts tbody")];
  const fields = [...form.querySelectorAll("[name]")];
  const said = document.getElementById("shown");

  // The filters as the address has them; a word that is no choice is named, not passed over.
  const unknown = [];
  const read = () => {
    const hash = location.hash.slice(1);
    if (!hash.includes("=")) return false; // a section or a statement, not filters
    const wanted = new URLSearchParams(hash);
    unknown.length = 0;
    for (const field of fields) {
      const value = wanted.get(field.name) || "";
      const known = field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value);
      field.value = known ? value : "";
      if (!known) unknown.push(`${field.name} "${value}"`);
    }
    return true;
  };
  const write = () => {
    const set = fields.filter((field) => field.value.trim()).map((field) => [field.name, field.value.trim()]);
    if (!set.length && !location.hash.includes("=")) return;
    history.replaceState(null, "", `#${set.length ? new URLSearchParams(set) : "statements"}`);
  };
  const apply = () => {
    const wanted = Object.fromEntries(new FormData(form));
    const words = wanted.words.toLowerCase().split(/\s+/).filter(Boolean);
    delete wanted.words;
    const counts = new Map();
    let shown = 0;
    for (const { row, text } of rows) {
      const fits = Object.entries(wanted).every(([name, value]) => !value || row.dataset[name] === value) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      if (!fits) continue;
      shown += 1;
      counts.set(row.dataset.verdict, (counts.get(row.dataset.verdict) || 0) + 1);
    }
    for (const group of groups) group.hidden = !group.querySelector("tr[data-verdict]:not([hidden])");
    const order = [...form.elements.verdict.options].map((option) => option.value);
    const told = [...counts].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)).map(([word, count]) => `${count} ${word}`);
    const lost = unknown.length ? `The address asks for ${unknown.join(", ")}, which is not here. ` : "";
    said.textContent = `${lost}${shown} of ${rows.length} statements shown${shown ? `: ${told.join(", ")}` : ""}`;
    document.getElementById("none").hidden = shown > 0;
  };
  const changed = () => {
    unknown.length = 0;
    apply();
    write();
  };
  // A link to a statement or a study's statements shows it, whatever the filters were.
  const go = () => {
    if (read()) {
      apply();
      document.getElementById("statements").scrollIntoView();
      return;
    }
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target || !target.closest("table.verdicts")) return;
    if (target.closest("[hidden]")) {
      for (const field of fields) field.value = "";
      apply();
    }
    target.scrollIntoView();
  };

  form.hidden = false;
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  addEventListener("hashchange", go);
  for (const field of fields) field.value = ""; // a browser that fills forms in again would not match the address
  apply();
  go();
})();
