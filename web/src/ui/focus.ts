/** Puts the focus on a page's heading when the page changes under the reader. */
export function focusWhenShown(element: HTMLElement): void {
  element.focus({ preventScroll: true });
}

/** The focus comes in with a part of the page that opens, and goes back where it was when it closes. */
export function borrowFocus(element: HTMLElement): () => void {
  const before = document.activeElement;
  element.focus({ preventScroll: true });
  return () => {
    // What was there before may just now become reachable again.
    setTimeout(() => {
      const { activeElement: now } = document;
      const lost = now === null || now === document.body;
      if (lost && before instanceof HTMLElement && before.isConnected) before.focus();
    });
  };
}
