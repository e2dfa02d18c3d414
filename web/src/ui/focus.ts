/** Puts the focus on a page's heading when the page changes under the reader. */
export function focusWhenShown(element: HTMLElement): void {
  element.focus({ preventScroll: true });
}
