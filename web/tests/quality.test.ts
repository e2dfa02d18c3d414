import { describe, expect, it } from 'vitest';
import { compare, grade, QualityWatch, type Reading, takeReading } from '../src/call/quality';

const reading = (change: Partial<Reading> = {}): Reading => ({
  rtt: 40,
  lossOut: 0,
  packetsIn: 0,
  lostIn: 0,
  ...change,
});

describe('grade', () => {
  it.each([
    [{ rtt: 40, lossOut: 0, lossIn: 0 }, 'good'],
    [{ rtt: null, lossOut: null, lossIn: null }, 'good'],
    [{ rtt: 249, lossOut: 0.029, lossIn: 0.029 }, 'good'],
    [{ rtt: 250, lossOut: 0, lossIn: 0 }, 'fair'],
    [{ rtt: 40, lossOut: 0.03, lossIn: 0 }, 'fair'],
    [{ rtt: 40, lossOut: 0, lossIn: 0.05 }, 'fair'],
    [{ rtt: 450, lossOut: 0, lossIn: 0 }, 'poor'],
    [{ rtt: 40, lossOut: 0.1, lossIn: 0 }, 'poor'],
    [{ rtt: 300, lossOut: 0, lossIn: 0.2 }, 'poor'],
  ] as const)('%o is %s', (sample, expected) => {
    expect(grade(sample)).toBe(expected);
  });
});

describe('takeReading', () => {
  it('reads the chosen path, the worst loss out, and all that comes in', () => {
    const report = new Map<string, unknown>([
      ['a', { type: 'candidate-pair', nominated: false, state: 'succeeded', currentRoundTripTime: 9 }],
      ['b', { type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: 0.05 }],
      ['c', { type: 'remote-inbound-rtp', fractionLost: 0.02 }],
      ['d', { type: 'remote-inbound-rtp', fractionLost: 0.01 }],
      ['e', { type: 'inbound-rtp', packetsReceived: 100, packetsLost: 3 }],
      ['f', { type: 'inbound-rtp', packetsReceived: 50, packetsLost: 0 }],
      ['g', { type: 'codec' }],
    ]);
    expect(takeReading(report)).toEqual({ rtt: 50, lossOut: 0.02, packetsIn: 150, lostIn: 3 });
  });
});

describe('compare', () => {
  it('tells loss between two readings', () => {
    const before = reading({ packetsIn: 1_000, lostIn: 500 });
    const now = reading({ packetsIn: 1_090, lostIn: 510 });
    expect(compare(before, now).lossIn).toBeCloseTo(0.1);
  });

  it('says nothing of loss without a former reading, with few packets, or a new connection', () => {
    expect(compare(null, reading({ lostIn: 9, packetsIn: 90 })).lossIn).toBeNull();
    expect(compare(reading(), reading({ packetsIn: 5, lostIn: 5 })).lossIn).toBeNull();
    expect(compare(reading({ packetsIn: 900 }), reading({ packetsIn: 30 })).lossIn).toBeNull();
  });

  it('does not count late packets as a gain', () => {
    const before = reading({ packetsIn: 100, lostIn: 10 });
    expect(compare(before, reading({ packetsIn: 200, lostIn: 5 })).lossIn).toBe(0);
  });
});

it('one hiccup alarms nobody, two do, and calm comes back the same way', () => {
  const watch = new QualityWatch();
  expect(watch.update(reading())).toBe('good');
  expect(watch.update(reading({ rtt: 900 }))).toBe('good');
  expect(watch.update(reading({ rtt: 900 }))).toBe('poor');
  expect(watch.update(reading())).toBe('poor');
  expect(watch.update(reading())).toBe('good');
});
