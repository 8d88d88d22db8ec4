"use strict";
(() => {
  const { sheet, number, image: here } = document.body.dataset;
  const images = Array.from({ length: Number(number) }, (_, i) => `image${String(i + 1).padStart(3, "0")}`);
  const places = images.flatMap((image) => [[image, "A"], [image, "B"]]);
  const known = new Set(places.map((place) => place.join(" ")));
  const held = {}; // "image001 A" -> { verdict, reason, comment, at }; the newest answer counts

  const take = (text) => {
    try {
      for (const [place, answer] of Object.entries(JSON.parse(text) || {})) {
        if (known.has(place) && !(held[place] && held[place].at > answer.at)) held[place] = answer;
      }
    } catch { /* nothing was kept, or it is not ours */ }
  };
  // Some browsers give each file a storage of its own: answers also travel in the links between the pages.
  const recall = () => {
    try { take(localStorage.getItem(sheet)); } catch { /* storage is switched off */ }
    try { take(decodeURIComponent(location.hash.slice(1))); } catch { /* an ordinary anchor */ }
  };
  const keep = () => {
    const text = JSON.stringify(held);
    try { localStorage.setItem(sheet, text); } catch { /* storage is switched off or full: the links still carry it */ }
    for (const link of document.querySelectorAll("a[data-step]")) link.hash = encodeURIComponent(text);
    show();
  };
  const verdict = (image, side) => (held[`${image} ${side}`] || {}).verdict || "";
  const show = () => {
    const done = places.filter((place) => verdict(...place)).length;
    const progress = document.getElementById("progress");
    if (progress) progress.textContent = `${done} of ${places.length} maps judged${done < places.length ? "" : ": all of them"}`;
    for (const link of document.querySelectorAll("a[data-image]")) {
      const judged = ["A", "B"].filter((side) => verdict(link.dataset.image, side)).length;
      link.dataset.state = ["", "1 of 2", "✓ judged"][judged];
    }
  };

  const forms = [...document.querySelectorAll("form[data-side]")];
  const answer = (form) => {
    recall(); // another tab may have gone on
    const said = Object.fromEntries(new FormData(form));
    held[`${here} ${form.dataset.side}`] = { verdict: said.verdict || "", reason: said.reason, comment: said.comment, at: Date.now() };
    keep();
  };
  const fill = () => {
    for (const form of forms) {
      const said = held[`${here} ${form.dataset.side}`] || {};
      for (const radio of form.querySelectorAll("[name=verdict]")) radio.checked = radio.value === said.verdict;
      form.elements.reason.value = said.reason || "";
      form.elements.comment.value = said.comment || "";
    }
  };

  const table = () => {
    const quoted = (text) => (/[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const rows = places.map(([image, side]) => {
      const said = held[`${image} ${side}`] || {};
      return [image, side, said.verdict || "", said.reason || "", said.comment || "", sheet];
    });
    return [["image", "side", "verdict", "reason", "comment", "sheet"], ...rows].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
  };
  const download = () => {
    recall();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", table()], { type: "text/csv;charset=utf-8" })); // the mark is for spreadsheets
    link.download = `verdicts_${sheet}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, input[type=text]")) return;
    const key = event.key.toLowerCase();
    const focused = forms.find((form) => form.contains(document.activeElement));
    if (key === "n" || key === "p") document.querySelector(`a[rel=${key === "n" ? "next" : "prev"}]`)?.click();
    for (const form of forms) {
      if (key === form.dataset.side.toLowerCase()) (form.querySelector(":checked") || form.querySelector("[name=verdict]")).focus();
    }
    if (!/^[1-9]$/.test(key)) return;
    const form = focused || forms.find((one) => !one.querySelector(":checked"));
    const radio = form?.querySelectorAll("[name=verdict]")[Number(key) - 1];
    if (!radio) return;
    radio.checked = true;
    if (focused) radio.focus(); // arrow keys go on from here
    answer(form);
  };

  recall();
  fill();
  keep();
  for (const part of document.querySelectorAll(".script[hidden]")) part.hidden = false;
  for (const part of document.querySelectorAll(".unscripted")) part.hidden = true;
  for (const form of forms) {
    form.addEventListener("input", () => answer(form));
    form.addEventListener("submit", (event) => event.preventDefault());
  }
  document.getElementById("download")?.addEventListener("click", download);
  document.addEventListener("keydown", press);
  window.addEventListener("pageshow", (event) => { if (event.persisted) { recall(); fill(); keep(); } }); // back from the page cache
})();
