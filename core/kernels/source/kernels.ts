/**
 * The kernels, in AssemblyScript: loops over one memory, which the caller lays out. Pointers are bytes.
 */
export { dropoutAttention, dropoutRows } from "./dropout";
export { adam, adamw, sgd } from "./optimizers";
export { axpy, scale, scatterAddRows, sumOfSquares, unscale } from "./vectors";
