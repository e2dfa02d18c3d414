/** The layout of tiles: as large as they can be, all of one size. */

export interface Grid {
  columns: number;
  rows: number;
  width: number;
  height: number;
}

export interface Shape {
  /** Width by height; a tile may have any shape between the two. */
  narrowest: number;
  widest: number;
}

export const LANDSCAPE: Shape = { narrowest: 4 / 3, widest: 16 / 9 };
/** On an upright phone squarer tiles leave less of the screen empty. */
export const PORTRAIT: Shape = { narrowest: 1, widest: 16 / 9 };

function largestTile(cellWidth: number, cellHeight: number, shape: Shape) {
  const aspect = cellWidth / cellHeight;
  if (aspect > shape.widest) return { width: cellHeight * shape.widest, height: cellHeight };
  if (aspect < shape.narrowest) return { width: cellWidth, height: cellWidth / shape.narrowest };
  return { width: cellWidth, height: cellHeight };
}

/** The number of columns that gives `count` tiles the most area in the space there is. */
export function fit(count: number, width: number, height: number, gap: number, shape?: Shape): Grid {
  const allowed = shape ?? (height > width ? PORTRAIT : LANDSCAPE);
  let best: Grid = { columns: 1, rows: Math.max(1, count), width: 0, height: 0 };
  if (count < 1 || width <= 0 || height <= 0) return best;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    // With fewer rows than a narrower grid would have, the same rows may fit fewer columns.
    if (columns > 1 && Math.ceil(count / rows) < columns) continue;
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    if (cellWidth <= 0 || cellHeight <= 0) continue;
    const tile = largestTile(cellWidth, cellHeight, allowed);
    const area = tile.width * tile.height;
    const bestArea = best.width * best.height;
    const emptier = columns * rows > best.columns * best.rows;
    // A nearly equal area is not worth gaps in the last row.
    if (area > bestArea * (emptier ? 1.03 : 1) || (!emptier && area >= bestArea * 0.97))
      best = {
        columns,
        rows,
        width: Math.floor(tile.width),
        height: Math.floor(tile.height),
      };
  }
  return best;
}
