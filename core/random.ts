/** interim */
export interface Random {
  fork(...path: readonly (string | number)[]): Random;
  bits(index: number): number;
  uniform(index: number): number;
  normal(index: number): number;
  readonly key: readonly [number, number];
}
function mul(a: number, b: number): [number, number] {
  const p = BigInt(a) * BigInt(b);
  return [Number(p >> 32n), Number(p & 0xffffffffn)];
}
export function philox4x32(c: readonly number[], k: readonly number[]): number[] {
  let [a = 0, b = 0, d = 0, e = 0] = c;
  let [x = 0, y = 0] = k;
  for (let i = 0; i < 10; i++) {
    const [h0, l0] = mul(0xd2511f53, a);
    const [h1, l1] = mul(0xcd9e8d57, d);
    [a, b, d, e] = [(h1 ^ b ^ x) >>> 0, l1, (h0 ^ e ^ y) >>> 0, l0];
    x = (x + 0x9e3779b9) >>> 0;
    y = (y + 0xbb67ae85) >>> 0;
  }
  return [a, b, d, e];
}
function make(key: readonly [number, number]): Random {
  const bits = (i: number): number => philox4x32([Math.floor(i / 4), 0, 0, 0], key)[i % 4] ?? 0;
  const uniform = (i: number): number => bits(i) / 2 ** 32;
  return {
    key,
    fork: (...path) => {
      let k = key;
      for (const part of path) for (const c of String(part)) { const o = philox4x32([c.charCodeAt(0), 7, 7, 7], k); k = [o[0] ?? 0, o[1] ?? 0]; }
      return make(k);
    },
    bits,
    uniform,
    normal: (i) => Math.sqrt(-2 * Math.log(1 - uniform(2 * i))) * Math.cos(2 * Math.PI * uniform(2 * i + 1)),
  };
}
export function createRandom(seed: number | bigint): Random { return make([Number(BigInt(seed) & 0xffffffffn), Number(BigInt(seed) >> 32n)]); }
export function permutation(random: Random, n: number): Int32Array {
  const p = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) { const j = Math.floor(random.uniform(i) * (i + 1)); const t = p[i] ?? 0; p[i] = p[j] ?? 0; p[j] = t; }
  return p;
}
export function fillNormal(random: Random, out: Float32Array, std: number): void { for (let i = 0; i < out.length; i++) out[i] = std * random.normal(i); }
export function fillUniform(random: Random, out: Float32Array, bound: number): void { for (let i = 0; i < out.length; i++) out[i] = bound * (2 * random.uniform(i) - 1); }
