/**
 * Bytes are `Uint8Array` on the page and `ArrayBuffer` for the MessagePack codec of Socket.IO,
 * which would write a typed array as a map of numbers.
 */

function deep(value: unknown, leaf: (value: unknown) => unknown): unknown {
  const mapped = leaf(value);
  if (mapped !== value || mapped === null || typeof mapped !== 'object') return mapped;
  if (mapped instanceof ArrayBuffer || ArrayBuffer.isView(mapped)) return mapped;
  if (Array.isArray(mapped)) return mapped.map((item: unknown) => deep(item, leaf));
  return Object.fromEntries(Object.entries(mapped).map(([key, item]) => [key, deep(item, leaf)]));
}

export function toWire(value: unknown): unknown {
  return deep(value, (item) => (item instanceof Uint8Array ? item.slice().buffer : item));
}

export function fromWire(value: unknown): unknown {
  return deep(value, (item) => (item instanceof ArrayBuffer ? new Uint8Array(item) : item));
}
