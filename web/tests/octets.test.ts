import { describe, expect, it } from 'vitest';
import { fromWire, toWire } from '../src/wire/octets';

describe('bytes on the wire', () => {
  const message = {
    group: new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4),
    list: [{ commit: new Uint8Array(300).fill(7) }],
    name: 'Ada',
    nothing: null,
    empty: [],
  };

  it('go out as buffers of just their own bytes', () => {
    const sent = toWire(message) as { group: ArrayBuffer; list: { commit: ArrayBuffer }[] };
    expect(sent.group).toBeInstanceOf(ArrayBuffer);
    expect(sent.group.byteLength).toBe(3);
    expect(sent.list[0]?.commit.byteLength).toBe(300);
  });

  it('come back as they were, wherever they stand', () => {
    expect(fromWire(toWire(message))).toEqual({ ...message, group: new Uint8Array([1, 2, 3]) });
  });
});
