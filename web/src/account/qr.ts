/** A QR code as the path of an SVG, one unit to a module. */
import { encode } from 'uqr';

// ISO/IEC 18004 asks for four modules of quiet around it.
const QUIET = 4;

export interface QrCode {
  size: number;
  path: string;
}

export function qrCode(text: string): QrCode {
  const { size, data } = encode(text, { ecc: 'M', border: QUIET });
  const path = data
    .flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : '')))
    .join('');
  return { size, path };
}
