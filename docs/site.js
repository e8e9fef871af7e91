// What scrolls is reached by the keyboard too.
addEventListener("load", () => setTimeout(() => {
  for (const box of document.querySelectorAll("pre > code, .md-typeset__scrollwrap")) box.tabIndex = 0;
}, 0));
