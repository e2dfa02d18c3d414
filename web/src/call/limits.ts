/** How much of the line one's own camera may take, so that large rooms still run on modest ones. */

export interface VideoLimit {
  /** Lines of the picture; a camera that gives fewer is not scaled. */
  height: number;
  bitrate: number;
  framerate: number;
}

const BY_PEOPLE: [people: number, limit: VideoLimit][] = [
  [2, { height: 720, bitrate: 1_200_000, framerate: 30 }],
  [4, { height: 720, bitrate: 900_000, framerate: 30 }],
  [6, { height: 540, bitrate: 650_000, framerate: 30 }],
  [9, { height: 360, bitrate: 450_000, framerate: 30 }],
];
const LARGE_ROOM: VideoLimit = { height: 360, bitrate: 350_000, framerate: 24 };
/** Beside a shared screen everyone is small. */
const BESIDE_SCREEN: VideoLimit = { height: 270, bitrate: 250_000, framerate: 20 };

export const SCREEN_LIMIT: Omit<VideoLimit, 'height'> = { bitrate: 2_500_000, framerate: 15 };

export function cameraLimit(people: number, screenShared: boolean): VideoLimit {
  const byPeople = BY_PEOPLE.find(([most]) => people <= most)?.[1] ?? LARGE_ROOM;
  return screenShared && byPeople.bitrate > BESIDE_SCREEN.bitrate ? BESIDE_SCREEN : byPeople;
}

export function scaleDown(captureHeight: number | undefined, limit: VideoLimit): number {
  return Math.max(1, (captureHeight ?? 720) / limit.height);
}
