// What the pages do better with a script than without: move to an error, and take in what changed meanwhile.
"use strict";

const summary = document.querySelector(".error-summary");
if (summary) summary.focus();

// A part marked data-live is fetched anew when the node says that something of its topic changed.
const live = document.querySelectorAll("[data-live]");
// Whether somebody has begun to fill something in: that is left alone, and so is where they are, and what they
// typed into a form that failed.
const isTouched = (part) => part.contains(document.activeElement)
  || (summary && part.querySelector("form"))
  || [...part.querySelectorAll("input, textarea")].some((each) => each.value !== each.defaultValue || each.checked !== each.defaultChecked)
  || [...part.querySelectorAll("option")].some((each) => each.defaultSelected && !each.selected);
if (live.length && window.EventSource) {
  let pending = null;
  const refresh = async () => {
    pending = null;
    const parts = [...document.querySelectorAll("[data-live]")];
    // A part may be had from elsewhere: where opening a page is recorded, looking again must not be.
    for (const address of new Set(parts.map((part) => part.dataset.from || location.href))) {
      const answer = await fetch(address, { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) continue;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts.filter((each) => (each.dataset.from || location.href) === address)) {
        const next = page.getElementById(part.id);
        if (next && !isTouched(part)) part.replaceWith(next);
      }
    }
  };
  const soon = () => { if (pending === null) pending = setTimeout(refresh, 150); };
  let source = null;
  // Listened to only while somebody looks: a browser opens few connections to one node.
  const listen = () => {
    if (document.hidden) {
      if (source) source.close();
      source = null;
    } else if (!source) {
      source = new EventSource("/events");
      // What changed before it was open (since the page was made, or during a gap) was told to nobody.
      source.addEventListener("open", soon);
      source.addEventListener("changed", (event) => {
        const topics = new Set([...document.querySelectorAll("[data-live]")].flatMap((part) => part.dataset.live.split(" ")));
        if (topics.has(event.data)) soon();
      });
    }
  };
  document.addEventListener("visibilitychange", () => { listen(); if (!document.hidden) soon(); });
  listen();
}
