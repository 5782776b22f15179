// The report without this script is a plain page; with it claims can be searched, filtered and
// sorted, and the runs behind a number open in place.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const main = byId("main");

  // Theme: the system's, until the reader chooses another.
  const themeButton = byId("theme");
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try { return localStorage.getItem("hindcast-theme"); } catch { return null; }
  };
  const isDark = () => (document.documentElement.dataset.theme ?? (systemDark.matches ? "dark" : "light")) === "dark";
  const showTheme = () => themeButton.setAttribute("aria-pressed", String(isDark()));
  const chosen = stored();
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  themeButton.hidden = false;
  showTheme();
  systemDark.addEventListener("change", showTheme);
  themeButton.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem("hindcast-theme", theme); } catch { /* kept for this visit only */ }
    showTheme();
  });

  // Claims that say nothing in this tier are folded away until asked for.
  const fold = (table, folded) => {
    table.classList.toggle("folded", folded);
    table.nextElementSibling?.querySelector("button")?.setAttribute("aria-expanded", String(!folded));
  };
  for (const line of all(".unfold")) {
    const table = line.previousElementSibling;
    line.hidden = false;
    fold(table, true);
    line.querySelector("button").addEventListener("click", () => fold(table, !table.classList.contains("folded")));
  }

  // Search and filters.
  const form = byId("filter");
  const query = byId("query");
  const paper = byId("paper");
  const chips = all(".chip");
  const claims = all(".ledger > tbody > tr").map((row) => ({
    row,
    paper: row.closest("table").dataset.paper,
    verdict: row.dataset.verdict,
    text: row.textContent.toLowerCase(),
  }));
  const pressed = (chip) => chip.getAttribute("aria-pressed") === "true";

  const filter = () => {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(chips.filter(pressed).map((chip) => chip.dataset.verdict));
    const active = words.length > 0 || wanted.size > 0 || Boolean(paper?.value);
    let shown = 0;
    const found = new Set();
    for (const claim of claims) {
      const fits = (!paper?.value || claim.paper === paper.value)
        && (wanted.size === 0 || wanted.has(claim.verdict))
        && words.every((word) => claim.text.includes(word));
      claim.row.hidden = !fits;
      if (fits) { shown += 1; found.add(claim.paper); }
    }
    main.classList.toggle("filtering", active);
    for (const line of all(".unfold")) fold(line.previousElementSibling, !active);
    for (const section of all("section.paper")) section.hidden = active && !found.has(section.dataset.paper);
    byId("status").textContent = active ? `${shown} of ${claims.length} claims. Tables, figures and runs are hidden meanwhile.` : "";
    byId("clear").hidden = !active;
  };
  const clear = () => {
    query.value = "";
    if (paper) paper.value = "";
    for (const chip of chips) chip.setAttribute("aria-pressed", "false");
    filter();
  };
  form.hidden = claims.length === 0;
  form.addEventListener("submit", (event) => event.preventDefault());
  query.addEventListener("input", filter);
  paper?.addEventListener("change", filter);
  byId("clear").addEventListener("click", () => { clear(); query.focus(); });
  for (const chip of chips) {
    chip.addEventListener("click", () => { chip.setAttribute("aria-pressed", String(!pressed(chip))); filter(); });
  }
  for (const count of all("a.count")) {
    count.addEventListener("click", (event) => {
      event.preventDefault();
      clear();
      if (paper) paper.value = count.dataset.paper;
      for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.verdict === count.dataset.verdict));
      filter();
      form.scrollIntoView();
      query.focus({ preventScroll: true });
    });
  }

  // Sorting: a button in each heading that has a key; empty values come last either way.
  const compare = (a, b) => {
    const x = Number(a), y = Number(b);
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  };
  const sort = (table, head) => {
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const key = head.dataset.key;
    for (const body of table.tBodies) {
      const rows = [...body.rows].map((row) => ({ row, value: row.getAttribute(`data-by-${key}`) ?? "" }));
      rows.sort((a, b) => {
        if (!a.value || !b.value) return Number(!a.value) - Number(!b.value);
        return (descending ? -1 : 1) * compare(a.value, b.value);
      });
      body.append(...rows.map(({ row }) => row));
    }
  };
  for (const head of all(".ledger > thead th[data-key]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head.closest("table"), head));
  }

  // The runs behind a number, in a dialog; the address says which, so that Back closes it.
  const dialog = byId("panel");
  const content = byId("panel-content");
  const open = (anchors) => {
    const panels = anchors.map(byId).filter(Boolean);
    if (panels.length === 0) return false;
    content.replaceChildren(...panels.map((panel) => {
      const copy = panel.cloneNode(true);
      copy.removeAttribute("id");
      return copy;
    }));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    byId("panel-title").focus();
    return true;
  };
  const remember = (anchors) => {
    try { history.pushState({ runs: anchors }, "", `#${anchors[0]}`); } catch { /* the address stays */ }
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-runs]");
    if (link) {
      const anchors = link.dataset.runs.split(" ");
      if (open(anchors)) { event.preventDefault(); remember(anchors); }
    }
    const badge = event.target.closest?.("a.badge");
    if (badge) {
      clear();
      const table = byId(badge.hash.slice(1))?.closest("table");
      if (table) fold(table, false);
    }
  });
  byId("panel-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => { if (history.state?.runs) history.back(); });
  addEventListener("popstate", (event) => {
    if (event.state?.runs) open(event.state.runs);
    else if (dialog.open) dialog.close();
  });

  // Paper has no buttons: what is folded away on the screen is printed, but for the runs.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details.guide:not([open]), details.notes:not([open]), details.absent:not([open]), .ledger .judged details:not([open])");
    for (const details of closed) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of closed) details.open = false; });
})();
