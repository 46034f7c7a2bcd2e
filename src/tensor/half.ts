// 16-bit floats and f32: IEEE 754 binary16 ("f16") and bfloat16. Exact, subnormals included; to 16 bits rounds to nearest even.
// Halves travel as their bit pattern, 0..65535.

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function f16ToF32(half: number): number {
  const magnitude = half & 0x7fff;
  const sign = (half & 0x8000) === 0 ? 1 : -1;
  if (magnitude >= 0x7c00) return magnitude === 0x7c00 ? sign * Infinity : NaN;
  // The same exponent and mantissa bits in a binary32 mean a value smaller by the difference of the biases, 127 - 15 = 112.
  // That holds for subnormals too, and the product is exact.
  bits[0] = magnitude << 13;
  return sign * float[0] * 2 ** 112;
}

/** `value` is an f32 (anything else is rounded to f32 first). Beyond the range: infinity. */
export function f32ToF16(value: number): number {
  float[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const magnitude = bits[0] & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  // 65520 = halfway between the largest half and the next power of two.
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  if (magnitude < 0x3880_0000) {
    // Below 2^-14 halves are multiples of 2^-24, which is the spacing of f32 in [0.5, 1): adding 0.5 makes f32 do the rounding.
    float[0] = Math.abs(float[0]) + 0.5;
    return sign | (bits[0] - 0x3f00_0000);
  }
  const rounded = magnitude + 0x0fff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x3800_0000) >>> 13);
}

export function bf16ToF32(half: number): number {
  bits[0] = half << 16;
  return float[0];
}

/** NaN stays NaN. */
export function f32ToBf16(value: number): number {
  float[0] = value;
  const pattern = bits[0];
  if ((pattern & 0x7fff_ffff) > 0x7f80_0000) return (pattern >>> 16) | 0x0040;
  return ((pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16) & 0xffff;
}
