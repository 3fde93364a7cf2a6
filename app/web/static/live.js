// Puts the newest of every part of the page in place of the old one, every two seconds while the
// page is looked at. Without it the page is reloaded as a whole.
"use strict";
const PAUSE_MS = 2000;

async function renew() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.pathname + location.search, { redirect: "error" });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of document.querySelectorAll("[data-live]")) {
          const newer = page.querySelector(`[data-live="${part.dataset.live}"]`);
          const busy = part.contains(document.activeElement) || selects(part);
          if (newer && !busy && newer.innerHTML !== part.innerHTML) {
            replace(part, newer);
          }
        }
      }
    } catch {
      // The server is away: the next round tries again.
    }
  }
  setTimeout(renew, PAUSE_MS);
}

// Whoever is selecting text, or reading a wide table to its right, is not disturbed.
function selects(part) {
  const selection = getSelection();
  return selection.rangeCount > 0 && !selection.isCollapsed && part.contains(selection.anchorNode);
}

function replace(part, newer) {
  const scrolled = [...part.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  part.replaceChildren(...newer.childNodes);
  part.querySelectorAll(".scroll").forEach((each, place) => {
    each.scrollLeft = scrolled[place] ?? 0;
  });
}

setTimeout(renew, PAUSE_MS);
