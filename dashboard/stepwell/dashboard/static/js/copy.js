/** Buttons that copy what they say, or else what they stand beside. */

document.documentElement.classList.add("scripted");

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
  const source = button?.previousElementSibling;
  if (!button || !source) return;
  try {
    await navigator.clipboard.writeText(button.getAttribute("data-copy") || (source.textContent ?? ""));
    button.textContent = "Copied";
  } catch {
    // Browsers offer no clipboard to pages that came over plain HTTP from another machine.
    getSelection()?.selectAllChildren(source);
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 1_500);
});
