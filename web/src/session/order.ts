/** The list with the one at `from` put at `to`; the others keep their order. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const rest = [...list];
  const [one] = rest.splice(from, 1);
  if (one === undefined) return rest;
  rest.splice(Math.max(0, Math.min(rest.length, to)), 0, one);
  return rest;
}
