/**
 * Dropout masks from Philox4x32-10 (Salmon et al. 2011): 16 random bits per value, addressed by its position.
 */

// The upper and lower halves of four 64-bit products; the compiler computes these once for both.
function high(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(i64x2.extmul_low_i32x4_u(a, b), i64x2.extmul_high_i32x4_u(a, b), 1, 3, 5, 7);
}

function low(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(i64x2.extmul_low_i32x4_u(a, b), i64x2.extmul_high_i32x4_u(a, b), 0, 2, 4, 6);
}

// Writes eight mask values from the low and high 16 bits of four words. `below` is the threshold minus one.
function put(to: usize, word: v128, below: v128, keep: v128): void {
  v128.store(to, v128.and(i32x4.gt_s(v128.and(word, i32x4.splat(0xffff)), below), keep));
  v128.store(to, v128.and(i32x4.gt_s(i32x4.shr_u(word, 16), below), keep), 16);
}

function copy(to: usize, from: usize, n: usize): void {
  for (; n >= 4; n -= 4, to += 16, from += 16) v128.store(to, v128.load(from));
  for (; n > 0; n--, to += 4, from += 4) store<f32>(to, load<f32>(from));
}

// `rows` rows of n values, `stride` bytes apart; value i of row r depends on (i, c1 + r, c2, c3, key) alone. Four
// counters give 32 values, and two such chunks are drawn at once, since one alone waits for its own products.
// `scratch` is 256 bytes, for chunks that a row's end cuts.
function maskRows(
  out: usize,
  n: usize,
  rows: usize,
  stride: usize,
  threshold: i32,
  keep: f32,
  c1: u32,
  c2: u32,
  c3: u32,
  k0: u32,
  k1: u32,
  scratch: usize,
): void {
  const M0 = i32x4.splat(0xd2511f53), M1 = i32x4.splat(0xcd9e8d57);
  const below = i32x4.splat(threshold - 1), kept = f32x4.splat(keep);
  const steps = i32x4(0, 1, 2, 3);
  let at: usize = 0; // of the row's values
  for (let left = rows * ((n + 31) >> 5); left > 0; left = left > 1 ? left - 2 : 0) {
    const to0 = out + (at << 2), n0 = min<usize>(32, n - at);
    let a = i32x4.add(i32x4.splat(<i32> at >> 3), steps), b = i32x4.splat(c1), c = i32x4.splat(c2), d = i32x4.splat(c3);
    at += 32;
    if (at >= n) at = 0, out += stride, c1++;
    // If the number of chunks is odd, the last second chunk is not written.
    const to1 = out + (at << 2), n1 = left > 1 ? min<usize>(32, n - at) : 0;
    let e = i32x4.add(i32x4.splat(<i32> at >> 3), steps), f = i32x4.splat(c1), g = c, h = d;
    at += 32;
    if (at >= n) at = 0, out += stride, c1++;
    let x = k0, y = k1;
    for (let round = 0; round < 10; round++) {
      const X = i32x4.splat(x), Y = i32x4.splat(y);
      const na = v128.xor(v128.xor(high(c, M1), b), X), ne = v128.xor(v128.xor(high(g, M1), f), X);
      const nc = v128.xor(v128.xor(high(a, M0), d), Y), ng = v128.xor(v128.xor(high(e, M0), h), Y);
      b = low(c, M1);
      f = low(g, M1);
      d = low(a, M0);
      h = low(e, M0);
      a = na;
      c = nc;
      e = ne;
      g = ng;
      x += 0x9e3779b9;
      y += 0xbb67ae85;
    }
    const p0 = n0 == 32 ? to0 : scratch, p1 = n1 == 32 ? to1 : scratch + 128;
    put(p0, a, below, kept);
    put(p0 + 32, b, below, kept);
    put(p0 + 64, c, below, kept);
    put(p0 + 96, d, below, kept);
    put(p1, e, below, kept);
    put(p1 + 32, f, below, kept);
    put(p1 + 64, g, below, kept);
    put(p1 + 96, h, below, kept);
    if (n0 < 32) copy(to0, scratch, n0);
    if (n1 < 32) copy(to1, scratch + 128, n1);
  }
}

// Writes a row per place (sequence, position); padding (sequence -1) gets ones.
export function dropoutRows(
  out: usize,
  places: usize,
  count: usize,
  width: usize,
  threshold: i32,
  keep: f32,
  k0: u32,
  k1: u32,
  site: u32,
  scratch: usize,
): void {
  const bytes = width << 2;
  for (let i: usize = 0; i < count; i++, out += bytes, places += 8) {
    const sequence = load<i32>(places), position = load<i32>(places, 4);
    if (sequence >= 0) {
      maskRows(out, width, 1, bytes, threshold, keep, position, sequence, site, k0, k1, scratch);
      continue;
    }
    for (let j: usize = 0; j < bytes; j += 4) store<f32>(out + j, 1);
  }
}

// [batch, heads, queries, keys]: writes each query's keys of its own sequence; attention to others is zero anyway.
export function dropoutAttention(
  out: usize,
  queryPlaces: usize,
  keyPlaces: usize,
  batch: usize,
  heads: usize,
  queries: usize,
  keys: usize,
  threshold: i32,
  keep: f32,
  k0: u32,
  k1: u32,
  site: u32,
  scratch: usize,
): void {
  const stride = queries * keys << 2;
  for (let b: usize = 0; b < batch; b++, out += heads * stride, keyPlaces += keys << 3) {
    let known: i32 = -1; // the sequence whose keys were looked for last: neighbours share it
    let first: usize = 0, length: usize = 0;
    for (let q: usize = 0; q < queries; q++, queryPlaces += 8) {
      const sequence = load<i32>(queryPlaces), position = load<i32>(queryPlaces, 4);
      if (sequence < 0) continue;
      if (sequence != known) {
        known = sequence;
        first = length = 0;
        for (let k: usize = 0; k < keys; k++) {
          if (load<i32>(keyPlaces + (k << 3)) != sequence) continue;
          if (length == 0) first = k;
          length++;
        }
      }
      const row = out + ((q * keys + first) << 2);
      const c1 = <u32> position * <u32> heads;
      maskRows(row, length, heads, stride, threshold, keep, c1, sequence, site, k0, k1, scratch);
    }
  }
}
