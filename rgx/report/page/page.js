"use strict";

const root = document.documentElement;
root.classList.add("scripted");

// A browser may forbid a page from a file to remember anything.
const memory = {
  get() { try { return localStorage.getItem("rgx-theme"); } catch { return null; } },
  set(value) { try { localStorage.setItem("rgx-theme", value); } catch { /* forgotten with the page */ } },
};

const THEMES = { auto: "as the system", light: "light", dark: "dark" };
let theme = memory.get() in THEMES ? memory.get() : "auto";
const paint = () => { root.dataset.theme = theme; };
paint();

function say(words) { document.getElementById("said").textContent = words; }

function themes() {
  const button = document.querySelector("[data-theme-switch]");
  const label = () => {
    button.textContent = `◐ ${theme[0].toUpperCase()}${theme.slice(1)}`;
    button.setAttribute("aria-label", `Colours: ${THEMES[theme]}`);
  };
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    theme = names[(names.indexOf(theme) + 1) % names.length];
    memory.set(theme);
    paint();
    label();
  });
  label();
}

// Ascending, descending, as the report has it; a hole is last in either direction.
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
const letters = new Intl.Collator(undefined, { numeric: true });

function sortable(table) {
  const body = table.tBodies[table.tBodies.length - 1];
  const sections = [...body.querySelectorAll(".section")];
  const whole = [...body.rows];
  const original = whole.filter((row) => !sections.includes(row));
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    if (column === 0) return cell.firstChild.textContent;
    return cell.dataset.order === undefined ? null : Number(cell.dataset.order);
  };
  const order = (column, direction) => {
    for (const section of sections) section.hidden = direction !== "none";
    if (direction === "none") return whole;
    const sign = direction === "ascending" ? 1 : -1;
    const held = original.map((row) => [key(row, column), row]);
    held.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (column === 0 ? letters.compare(a, b) : a - b);
    });
    return held.map(([, row]) => row);
  };
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const direction = NEXT[head.getAttribute("aria-sort")];
      for (const other of heads) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", direction);
      body.append(...order(column, direction));
      say(direction === "none" ? "In the report’s order" : `Sorted by ${button.textContent.trim()}, ${direction}`);
    });
  });
}

function filter() {
  const box = document.getElementById("filter");
  const found = document.getElementById("found");
  const panels = [...document.querySelectorAll("[data-panel]")].map((panel) => ({
    panel,
    items: [...panel.querySelectorAll("tbody.rows tr:not(.section), details.origin")].map((item) => ({
      item,
      text: `${panel.dataset.panel} ${item.querySelector("th, summary").firstChild.textContent}`.toLowerCase(),
    })),
    videos: [...panel.querySelectorAll("[data-row]")].map((item) => ({
      item, text: `${panel.dataset.panel} ${item.dataset.row}`.toLowerCase(),
    })),
  }));
  const all = panels.reduce((sum, { items }) => sum + items.length, 0);
  const show = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = ({ item, text }) => {
      item.hidden = !words.every((word) => text.includes(word));
      return !item.hidden;
    };
    let left = 0;
    for (const { panel, items, videos } of panels) {
      const here = items.filter(fits).length;
      videos.forEach(fits);
      panel.hidden = words.length > 0 && here === 0;
      left += here;
    }
    found.textContent = words.length ? `${left} of ${all} rows` : "";
  };
  box.addEventListener("input", show);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && event.target !== box) {
      event.preventDefault();
      box.focus();
    }
  });
  show();
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The clipboard may be closed to a page from a file; a selection is not.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("the browser does not copy");
  }
}

function copies(button) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const words = button.firstChild;
    try {
      await copy(source.textContent);
      words.data = "Copied";
    } catch {
      source.closest("details").open = true;
      getSelection().selectAllChildren(source);
      words.data = "Selected: press Ctrl+C";
    }
    say(words.data);
    setTimeout(() => { words.data = "Copy LaTeX"; }, 2000);
  });
}

// An address may lead into something closed.
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const closed = target?.closest("details:not([open])");
  if (!closed) return;
  closed.open = true;
  target.scrollIntoView();
}

document.addEventListener("DOMContentLoaded", () => {
  themes();
  document.querySelectorAll("table.results").forEach(sortable);
  filter();
  document.querySelectorAll("[data-copy]").forEach(copies);
  reveal();
});
window.addEventListener("hashchange", reveal);
