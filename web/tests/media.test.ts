import { describe, expect, it } from 'vitest';
import { troubleOf, troubleWords } from '../src/call/devices';
import { levelsNow, meterShare, SPEAKING_HOLD_MS, SpeakerDetector } from '../src/call/levels';
import { cameraLimit, scaleDown } from '../src/call/limits';
import { visitMemory } from '../src/call/memory';
import { pathState } from '../src/call/peer';
import { person } from './fakes';

describe('SpeakerDetector', () => {
  const hear = (detector: SpeakerDetector, level: number, now: number) =>
    detector.update(new Map([['ada', level]]), now).has('ada');

  it('holds through the pauses between words, and no longer', () => {
    const detector = new SpeakerDetector();
    expect(hear(detector, 0.001, 0)).toBe(false);
    expect(hear(detector, 0.1, 150)).toBe(true);
    let end = 0;
    for (let now = 300; now < 5_000 && end === 0; now += 150) if (!hear(detector, 0, now)) end = now;
    expect(end).toBeGreaterThan(150 + SPEAKING_HOLD_MS);
    expect(end).toBeLessThan(150 + 2 * SPEAKING_HOLD_MS + 450);
  });

  it('forgets at once who muted', () => {
    const detector = new SpeakerDetector();
    hear(detector, 0.2, 0);
    expect(detector.update(new Map(), 10).size).toBe(0);
    expect(hear(detector, 0, 20)).toBe(false);
  });
});

it('takes levels only of who can be heard', () => {
  const people = [
    person(0),
    person(10),
    person(2, { mic: false }),
    person(3, { connection: 'reconnecting' }),
  ];
  const levels = levelsNow(people, 'id-0', 0.5, (mid) => (mid === 'aa' ? 0.25 : 1));
  expect([...levels]).toEqual([
    ['id-0', 0.5],
    ['id-10', 0.25],
  ]);
  expect(levelsNow(people, 'id-0', null, () => 0).has('id-0')).toBe(false);
});

it('a meter runs from silence to full', () => {
  expect(meterShare(0)).toBe(0);
  expect(meterShare(1)).toBe(1);
  expect(meterShare(0.05)).toBeGreaterThan(0.5);
  expect(meterShare(0.05)).toBeLessThan(0.8);
});

describe('the camera', () => {
  it('takes less of the line in larger rooms', () => {
    expect(cameraLimit(2, false)).toMatchObject({ height: 720, bitrate: 1_200_000 });
    expect(cameraLimit(12, false)).toMatchObject({ height: 360, bitrate: 350_000 });
    for (let people = 2; people <= 16; people += 1)
      expect(cameraLimit(people, false).bitrate).toBeLessThanOrEqual(
        cameraLimit(people - 1, false).bitrate,
      );
  });

  it('takes little beside a shared screen', () => {
    for (const people of [1, 4, 16])
      expect(cameraLimit(people, true).bitrate).toBeLessThanOrEqual(250_000);
  });

  it('is never scaled up', () => {
    expect(scaleDown(720, cameraLimit(12, false))).toBe(2);
    expect(scaleDown(240, cameraLimit(12, false))).toBe(1);
    expect(scaleDown(undefined, cameraLimit(2, false))).toBe(1);
  });
});

describe('pathState', () => {
  it.each([
    ['checking', 'connecting', 'connecting'],
    ['connected', 'connecting', 'connecting'],
    ['connected', 'connected', 'connected'],
    ['completed', 'connected', 'connected'],
    ['disconnected', 'disconnected', 'disconnected'],
    ['failed', 'failed', 'failed'],
    ['connected', 'failed', 'broken'],
    ['closed', 'closed', 'broken'],
  ] as const)('%s and %s make %s', (ice, whole, expected) => {
    expect(pathState(ice, whole)).toBe(expected);
  });
});

describe('device trouble', () => {
  it.each([
    ['NotAllowedError', 'blocked'],
    ['NotReadableError', 'busy'],
    ['NotFoundError', 'missing'],
    ['OverconstrainedError', 'missing'],
    ['TypeError', 'failed'],
  ] as const)('%s is %s', (name, expected) => {
    expect(troubleOf(new DOMException('', name))).toBe(expected);
  });

  it('always says that one can join all the same', () => {
    for (const kind of ['mic', 'camera'] as const)
      for (const trouble of ['blocked', 'busy', 'missing', 'failed'] as const)
        expect(troubleWords(kind, trouble)).toMatch(/can still join/);
  });
});

describe('visitMemory', () => {
  it('keeps rooms apart, the name across them, and forgets', () => {
    const kept = new Map<string, string>();
    const store = {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    };
    const garden = visitMemory('garden', store);
    const pond = visitMemory('pond', store);
    garden.token = 't';
    garden.resume = 'r';
    garden.name = 'Ada';
    expect(pond).toMatchObject({ token: null, resume: null, name: 'Ada' });
    expect(visitMemory('garden', store)).toMatchObject({ token: 't', resume: 'r' });
    garden.resume = null;
    expect([...kept.keys()]).not.toContain('holdspace:resume:garden');
  });

  it('works for the moment where the browser keeps nothing', () => {
    const memory = visitMemory('garden');
    memory.token = 't';
    expect(memory.token).toBe('t');
  });
});
