/** A compiled module, as Workers import it. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
