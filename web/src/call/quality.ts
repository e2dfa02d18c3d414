/** How good the media path is, in three words, from what the browser measures. */

export type Quality = 'good' | 'fair' | 'poor';

/** Counters as they stand; losses are told from two readings. */
export interface Reading {
  /** Round trip to the relay in milliseconds. */
  rtt: number | null;
  /** Share of our packets that the relay misses, as it last reported. */
  lossOut: number | null;
  packetsIn: number;
  lostIn: number;
}

export interface Sample {
  rtt: number | null;
  lossOut: number | null;
  lossIn: number | null;
}

/** Fewer packets than this say nothing about loss. */
const ENOUGH_PACKETS = 20;

export function takeReading(report: ReadonlyMap<string, unknown> | RTCStatsReport): Reading {
  const reading: Reading = { rtt: null, lossOut: null, packetsIn: 0, lostIn: 0 };
  report.forEach((value: unknown) => {
    const stat = value as {
      type: string;
      kind?: string;
      nominated?: boolean;
      state?: string;
      currentRoundTripTime?: number;
      fractionLost?: number;
      packetsReceived?: number;
      packetsLost?: number;
    };
    if (stat.type === 'candidate-pair' && stat.nominated === true && stat.state === 'succeeded') {
      if (stat.currentRoundTripTime !== undefined) reading.rtt = stat.currentRoundTripTime * 1000;
    } else if (stat.type === 'remote-inbound-rtp') {
      if (stat.fractionLost !== undefined)
        reading.lossOut = Math.max(reading.lossOut ?? 0, stat.fractionLost);
    } else if (stat.type === 'inbound-rtp') {
      reading.packetsIn += stat.packetsReceived ?? 0;
      reading.lostIn += stat.packetsLost ?? 0;
    }
  });
  return reading;
}

export function compare(before: Reading | null, now: Reading): Sample {
  let lossIn: number | null = null;
  if (before !== null) {
    const received = now.packetsIn - before.packetsIn;
    // A late packet that was counted lost lowers the counter again.
    const lost = Math.max(0, now.lostIn - before.lostIn);
    if (received >= 0 && received + lost >= ENOUGH_PACKETS) lossIn = lost / (received + lost);
  }
  return { rtt: now.rtt, lossOut: now.lossOut, lossIn };
}

// Speech gets hard to follow from about a tenth of packets lost; people begin to talk into each
// other from about 150 ms one way.
const POOR = { rtt: 450, loss: 0.1 };
const FAIR = { rtt: 250, loss: 0.03 };

export function grade({ rtt, lossOut, lossIn }: Sample): Quality {
  const loss = Math.max(lossOut ?? 0, lossIn ?? 0);
  const delay = rtt ?? 0;
  if (delay >= POOR.rtt || loss >= POOR.loss) return 'poor';
  if (delay >= FAIR.rtt || loss >= FAIR.loss) return 'fair';
  return 'good';
}

/** Takes a new grade only when two in a row say so, so that one hiccup alarms nobody. */
export class QualityWatch {
  #shown: Quality = 'good';
  #last: Quality = 'good';
  #reading: Reading | null = null;

  update(reading: Reading): Quality {
    const now = grade(compare(this.#reading, reading));
    this.#reading = reading;
    if (now === this.#last) this.#shown = now;
    this.#last = now;
    return this.#shown;
  }

  /** A new peer connection counts from zero again. */
  reset(): void {
    this.#reading = null;
  }
}

export const QUALITY_WORDS: Record<Quality, string> = {
  good: 'Good connection',
  fair: 'Fair connection',
  poor: 'Poor connection',
};
