import { describe, expect, it } from 'vitest';
import { fit } from '../src/call/grid';

const GAP = 10;
const SPACES = [
  ['a laptop', 1280, 660],
  ['a wide screen', 2560, 1200],
  ['an upright phone', 336, 560],
  ['a phone on its side', 700, 260],
  ['a narrow strip', 200, 600],
] as const;

describe.each(SPACES)('on %s', (_, width, height) => {
  it.each(Array.from({ length: 16 }, (_, at) => at + 1))('%i tiles fit, all with a fair shape', (count) => {
    const grid = fit(count, width, height, GAP);
    expect(grid.columns * grid.rows).toBeGreaterThanOrEqual(count);
    // No whole row is empty, and none overflows.
    expect((grid.rows - 1) * grid.columns).toBeLessThan(count);
    expect(grid.columns * grid.width + (grid.columns - 1) * GAP).toBeLessThanOrEqual(width);
    expect(grid.rows * grid.height + (grid.rows - 1) * GAP).toBeLessThanOrEqual(height);
    expect(grid.width).toBeGreaterThan(0);
    expect(grid.width / grid.height).toBeLessThan(16 / 9 + 0.05);
    expect(grid.width / grid.height).toBeGreaterThan((height > width ? 1 : 4 / 3) - 0.05);
  });

  it('never makes tiles larger when there are more', () => {
    let before = Infinity;
    for (let count = 1; count <= 16; count += 1) {
      const grid = fit(count, width, height, GAP);
      const area = grid.width * grid.height;
      // A few per cent are given up on purpose for a fuller last row.
      expect(area).toBeLessThanOrEqual(before * 1.05);
      before = area;
    }
  });
});

it('puts two side by side on a laptop and below each other on a phone', () => {
  expect(fit(2, 1280, 660, GAP)).toMatchObject({ columns: 2, rows: 1 });
  expect(fit(2, 336, 560, GAP)).toMatchObject({ columns: 1, rows: 2 });
});

it('has full rows for twelve on a laptop', () => {
  expect(fit(12, 1256, 660, GAP)).toMatchObject({ columns: 4, rows: 3 });
});

it('fills the space when it has the right shape', () => {
  expect(fit(1, 1600, 900, GAP)).toMatchObject({ width: 1600, height: 900 });
});

it('survives having no space or nobody', () => {
  expect(fit(3, 0, 0, GAP)).toMatchObject({ width: 0, height: 0 });
  expect(fit(0, 800, 600, GAP)).toMatchObject({ width: 0, height: 0 });
  expect(fit(16, 30, 30, GAP).width).toBeGreaterThanOrEqual(0);
});
