// @ts-check
// Runs in the head of the page, before anything is drawn: whether a sidebar will come, and whether a class looks on.
// Afterwards present.js and the sidebar itself say so.

if (typeof document !== "undefined") {
  const { classList } = document.documentElement;
  classList.toggle("presenting", new URLSearchParams(location.search).get("present") === "1");
  let folded = false;
  try {
    folded = localStorage.getItem("stSidebarCollapsed-") === "true";
  } catch {} // a browser that keeps nothing
  classList.toggle("folded", folded);
}
