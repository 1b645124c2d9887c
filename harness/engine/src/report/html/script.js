"use strict";
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const highlights = typeof Highlight === "function" && CSS.highlights;

  // Scenarios: by verdict and by text.
  const scenarios = all(".scenario");
  const find = document.getElementById("find");
  const words = all("#counts button");
  const wanted = new Set();
  const show = () => {
    const text = find ? find.value.trim().toLowerCase() : "";
    let shown = 0;
    for (const one of scenarios) {
      const summary = one.firstElementChild;
      const area = one.parentElement.firstElementChild.firstChild.textContent;
      const matches = (wanted.size === 0 || wanted.has(one.dataset.word))
        && (!text || (area + "::" + summary.textContent).toLowerCase().includes(text));
      one.hidden = !matches;
      shown += matches;
    }
    for (const area of all(".area")) area.hidden = !area.querySelector(".scenario:not([hidden])");
    const none = document.getElementById("none");
    if (none) none.hidden = shown > 0;
  };
  for (const button of words) {
    button.disabled = false;
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      if (on) wanted.add(button.dataset.word); else wanted.delete(button.dataset.word);
      show();
    });
  }
  if (find) {
    document.getElementById("finder").hidden = false;
    find.addEventListener("input", show);
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
        event.preventDefault();
        find.focus();
      }
    });
    const unfold = document.getElementById("unfold");
    unfold.addEventListener("click", () => {
      const open = unfold.textContent === "Open all";
      for (const one of scenarios) if (!one.hidden) one.open = open;
      unfold.textContent = open ? "Close all" : "Open all";
    });
  }

  // A link to a scenario opens it, whatever is filtered.
  const follow = () => {
    const target = /^#s\d+$/.test(location.hash) && document.querySelector(location.hash);
    if (!target) return;
    if (target.hidden) {
      wanted.clear();
      for (const button of words) button.setAttribute("aria-pressed", "false");
      find.value = "";
      show();
    }
    target.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  follow();

  // Logs: by source, level and text.
  const mark = (rows, text) => {
    if (!highlights) return;
    const ranges = [];
    for (const row of text ? rows : []) {
      const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const low = node.data.toLowerCase();
        for (let at = low.indexOf(text); at >= 0 && ranges.length < 5000; at = low.indexOf(text, at + text.length)) {
          if (at + text.length > node.length) break;
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + text.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("hit", new Highlight(...ranges));
  };
  for (const logs of all(".logs")) {
    const tools = logs.querySelector(".tools");
    const rows = all(".r", logs);
    const [search, level, output] = ["input", "select", "output"].map((tag) => tools.querySelector(tag));
    const buttons = all("button", tools);
    tools.hidden = false;
    const filter = () => {
      const text = search.value.trim().toLowerCase();
      const off = buttons.filter((b) => b.getAttribute("aria-pressed") !== "true").map((b) => b.dataset.source);
      const left = [];
      for (const row of rows) {
        const high = !level.value || row.classList.contains("err") || row.classList.contains(level.value);
        row.hidden = !high || off.some((source) => row.classList.contains(source))
          || (text !== "" && !row.textContent.toLowerCase().includes(text));
        if (!row.hidden) left.push(row);
      }
      output.value = left.length === rows.length ? "" : `${left.length} of ${rows.length}`;
      mark(left, text);
    };
    search.addEventListener("input", filter);
    level.addEventListener("change", filter);
    for (const button of buttons) {
      button.addEventListener("click", () => {
        button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
        filter();
      });
    }
  }

  for (const button of all(".copy")) {
    if (!navigator.clipboard) break;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "Copied";
    });
  }
})();
