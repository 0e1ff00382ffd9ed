/**
 * Compiled modules, as Workers import them.
 * @module
 */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
