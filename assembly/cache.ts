// The KV cache. A block is 64 absolute positions of one layer and kv head:
//   keys    [position / 8][dim][position % 8]   so that lanes are positions
//   values  [position][dim]                     so that lanes are dims
// Each class names the bytes of one element type; `keys` and `values` give four lanes as f32.

import { widenHigh, widenLow } from './half';

@unmanaged
export class Singles {
  /** Bytes of one kv head's block, keys or values. */
  // @ts-ignore: decorator
  @inline headBytes(dim: usize): usize { return dim << 8; }
  /** Bytes of 8 positions of one dim. */
  // @ts-ignore: decorator
  @inline keyStep(): usize { return 32; }
  // @ts-ignore: decorator
  @inline keyLow(at: usize): v128 { return v128.load(at); }
  // @ts-ignore: decorator
  @inline keyHigh(at: usize): v128 { return v128.load(at, 16); }
  // @ts-ignore: decorator
  @inline elementBytes(): usize { return 4; }
  /** Four dims of one position. */
  // @ts-ignore: decorator
  @inline value(at: usize): v128 { return v128.load(at); }
}

@unmanaged
export class Halves {
  // @ts-ignore: decorator
  @inline headBytes(dim: usize): usize { return dim << 7; }
  // @ts-ignore: decorator
  @inline keyStep(): usize { return 16; }
  // @ts-ignore: decorator
  @inline keyLow(at: usize): v128 { return widenLow(v128.load(at)); }
  // @ts-ignore: decorator
  @inline keyHigh(at: usize): v128 { return widenHigh(v128.load(at)); }
  // @ts-ignore: decorator
  @inline elementBytes(): usize { return 2; }
  // @ts-ignore: decorator
  @inline value(at: usize): v128 { return widenLow(v128.load64_zero(at)); }
}
